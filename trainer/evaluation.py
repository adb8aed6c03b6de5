"""Evaluation over all replicas and workers, each example exactly once."""

import numpy as np
import tensorflow as tf

from trainer import input_pipeline, metrics
from trainer.progress import Progress
from trainer.splits import Split
from trainer.steps import PredictStep

BATCH_SIZE = 500
"""Images per step over all replicas. The figures don't depend on it."""


def evaluate(
    strategy: tf.distribute.Strategy,
    predict_step: PredictStep,
    split: Split,
    name: str,
    global_batch_size: int = BATCH_SIZE,
) -> tuple[metrics.Evaluation, np.ndarray, np.ndarray]:
    """Evaluates on each example exactly once.

    Args:
      strategy: The strategy of `predict_step`.
      predict_step: From `steps.make_predict_step`.
      split: The examples.
      name: What to call them in the progress display.
      global_batch_size: Images per step over all replicas, at least 1.

    Returns:
      The figures, the logits float32 [n, positions, classes], and the labels
      int64 [n, positions]; the same on each worker.
    """
    elements = strategy.distribute_datasets_from_function(
        lambda context: input_pipeline.make_eval_dataset(
            split, global_batch_size, context
        )
    )
    seen = np.zeros(len(split), np.int64)
    answers: list[np.ndarray] = []
    with Progress(len(split), f"Evaluating {name}", "images") as progress:
        for element in elements:
            rows, *parts = (part.numpy() for part in predict_step(element))
            real = rows != input_pipeline.PADDING
            answers = answers or [
                np.empty((len(split), *part.shape[1:]), part.dtype)
                for part in parts
            ]
            for answer, part in zip(answers, parts, strict=True):
                answer[rows[real]] = part[real]
            np.add.at(seen, rows[real], 1)
            progress.advance(int(real.sum()))
    if not (seen == 1).all():
        raise RuntimeError("an example was not evaluated exactly once")
    labels, logits = answers
    return metrics.evaluate_logits(logits, labels), logits, labels
