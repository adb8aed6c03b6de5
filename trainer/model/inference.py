"""Predicts a whole split over all replicas and workers, each example once."""

import dataclasses

import numpy as np
import tensorflow as tf

from seqdigits_tfds.terminal import Progress
from trainer.data import pipeline
from trainer.data.splits import Split
from trainer.model.steps import PredictStep

BATCH_SIZE = 500
"""Number of images per step over all replicas. It does not affect results."""


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The predictions of a model for a whole split, in its order.

    Attributes:
      labels: int64 [n, positions].
      logits: float32 [n, positions, classes].
    """

    labels: np.ndarray
    logits: np.ndarray


def predict_split(
    strategy: tf.distribute.Strategy,
    predict_step: PredictStep,
    split: Split,
    name: str,
    global_batch_size: int = BATCH_SIZE,
) -> Predictions:
    """Predicts each example of a split exactly once.

    Args:
      strategy: The strategy of `predict_step`.
      predict_step: From `steps.make_predict_step`.
      split: The examples.
      name: The split's name in the progress display.
      global_batch_size: Number of images per step over all replicas, at least
        1.

    Returns:
      The predictions, the same on each worker.
    """
    batches = strategy.distribute_datasets_from_function(
        lambda context: pipeline.make_eval_dataset(
            split, global_batch_size, context
        )
    )
    times_seen = np.zeros(len(split), np.int64)
    results: list[np.ndarray] = []
    with Progress(len(split), f"Evaluating {name}", "images") as progress:
        for batch in batches:
            rows, *parts = (part.numpy() for part in predict_step(batch))
            is_real = rows != pipeline.PADDING
            results = results or [
                np.empty((len(split), *part.shape[1:]), part.dtype)
                for part in parts
            ]
            for result, part in zip(results, parts, strict=True):
                result[rows[is_real]] = part[is_real]
            np.add.at(times_seen, rows[is_real], 1)
            progress.advance(int(is_real.sum()))
    if not (times_seen == 1).all():
        raise RuntimeError("an example was not evaluated exactly once")
    return Predictions(*results)
