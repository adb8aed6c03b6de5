"""Accuracy and loss of predicted sequences, computed on the host.

They are computed from the logits of a whole split, each image once. Therefore
they depend neither on the batch size nor on the number of replicas.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import special

from trainer.model.intervals import find_intervals


@dataclasses.dataclass(frozen=True)
class Metrics:
    """The metrics of a model on a split.

    Attributes:
      num_images: Number of images.
      loss: Mean over images of the cross-entropy summed over positions, in
        nats.
      individual_accuracy: Correct positions / (positions x images), including
        blanks.
      sequence_accuracy: Images with all positions correct / images.
      by_length: Sequence accuracy of the images with 1, 2, ... digits. The keys
        are numbers of digits, as strings for JSON.
      by_position: Individual accuracy at each position, from the left.
      by_digit: Individual accuracy of the positions whose label is "0", "1",
        ... or "blank".
      intervals: 95 % confidence intervals of the accuracies; empty if the digit
        images are not known. See `intervals.find_intervals`.
    """

    num_images: int
    loss: float
    individual_accuracy: float
    sequence_accuracy: float
    by_length: dict[str, float]
    by_position: list[float]
    by_digit: dict[str, float]
    intervals: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Returns all metrics that are known, ready for JSON."""
        values = dataclasses.asdict(self)
        return {k: v for k, v in values.items() if k != "intervals" or v}


def compute_metrics(
    logits: np.ndarray,
    labels: np.ndarray,
    glyph_ids: np.ndarray | None = None,
) -> Metrics:
    """Computes the metrics of predictions.

    Args:
      logits: float32 [n, positions, classes].
      labels: int [n, positions], padded with the last class, the blank.
      glyph_ids: int [n, positions], the digit images, which intervals need; -1
        for a blank.
    """
    blank = logits.shape[-1] - 1
    correct = logits.argmax(axis=-1) == labels
    all_correct = correct.all(axis=1)
    lengths = (labels != blank).sum(axis=1)
    log_probabilities = np.take_along_axis(
        special.log_softmax(logits.astype(np.float64), axis=-1),
        labels[..., None],
        axis=-1,
    )[..., 0]
    return Metrics(
        num_images=len(labels),
        loss=float(-log_probabilities.sum(axis=1).mean()),
        individual_accuracy=float(correct.mean()),
        sequence_accuracy=float(all_correct.mean()),
        by_length={
            str(length): float(all_correct[lengths == length].mean())
            for length in np.unique(lengths)
        },
        by_position=correct.mean(axis=0).tolist(),
        by_digit={
            "blank" if digit == blank else str(digit): float(
                correct[labels == digit].mean()
            )
            for digit in np.unique(labels)
        },
        intervals={}
        if glyph_ids is None
        else find_intervals(correct, labels, glyph_ids, blank),
    )
