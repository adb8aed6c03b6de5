"""Accuracy and loss of predicted sequences, counted on the host.

Works on the logits of a whole split, each image once: figures then depend
neither on the batch size nor on the number of replicas.
"""

import dataclasses
from typing import Any

import numpy as np

from seqdigits_tfds import BLANK


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Figures of a model on a split.

    Attributes:
      num_images: Number of images counted.
      loss: Mean over images of the cross-entropy summed over positions, in
        nats.
      individual_accuracy: Right positions / (positions x images), blanks
        counted.
      sequence_accuracy: Images with all positions right / images.
      by_length: Sequence accuracy of the images with 1, 2, ... digits, by the
        number of digits as a string (a JSON key).
      by_position: Individual accuracy at each position, from the left.
      by_digit: Individual accuracy of the positions that are "0", ..., "9" and
        "blank".
    """

    num_images: int
    loss: float
    individual_accuracy: float
    sequence_accuracy: float
    by_length: dict[str, float]
    by_position: list[float]
    by_digit: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Returns all figures, ready for JSON."""
        return dataclasses.asdict(self)


def evaluate_logits(logits: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Compares a model's answers with the labels.

    Args:
      logits: float32 [n, positions, classes].
      labels: int [n, positions], padded with `BLANK`.

    Returns:
      The figures.
    """
    right = logits.argmax(axis=-1) == labels
    all_right = right.all(axis=1)
    lengths = (labels != BLANK).sum(axis=1)
    return Evaluation(
        num_images=len(labels),
        loss=float(_cross_entropy(logits, labels).sum(axis=1).mean()),
        individual_accuracy=float(right.mean()),
        sequence_accuracy=float(all_right.mean()),
        by_length={
            str(length): float(all_right[lengths == length].mean())
            for length in np.unique(lengths)
        },
        by_position=right.mean(axis=0).tolist(),
        by_digit={
            "blank" if digit == BLANK else str(digit): float(
                right[labels == digit].mean()
            )
            for digit in np.unique(labels)
        },
    )


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=-1))
    label_logits = np.take_along_axis(logits, labels[..., None], axis=-1)
    return log_sum - label_logits[..., 0]
