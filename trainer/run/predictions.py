"""predictions.npz: the predictions and images that the report shows.

A report can therefore be made again without the dataset and the model.
"""

import dataclasses
import io
import pathlib
from typing import Self

import numpy as np
from scipy import special

from trainer.data.splits import Split
from trainer.model.inference import Predictions
from trainer.run.files import write_atomically

_MAX_WRONG, _MAX_RIGHT = 60, 12


@dataclasses.dataclass(frozen=True)
class SavedPredictions:
    """Predictions for the test split, and a selection of its images.

    Attributes:
      labels: int64 [n, positions].
      logits: float32 [n, positions, classes].
      rows: int64 [g], the selected examples, ascending.
      images: uint8 [g, height, width, 1], their images.
    """

    labels: np.ndarray
    logits: np.ndarray
    rows: np.ndarray
    images: np.ndarray

    @classmethod
    def select(cls, predictions: Predictions, split: Split) -> Self:
        """Selects the worst mistakes and the least certain correct examples.

        The worst mistakes are those with the highest confidence.

        Args:
          predictions: The predictions for all examples of `split`.
          split: The split with the images.
        """
        labels, logits = predictions.labels, predictions.logits
        order = np.argsort(
            find_confidences(logits).prod(axis=-1), kind="stable"
        )
        is_right = (logits.argmax(axis=-1) == labels).all(axis=-1)[order]
        worst, least_certain = order[~is_right][::-1], order[is_right]
        rows = np.sort(
            np.concatenate([worst[:_MAX_WRONG], least_certain[:_MAX_RIGHT]])
        )
        return cls(labels, logits, rows, split.read(rows)["image"].numpy())

    @classmethod
    def load(cls, path: pathlib.Path) -> Self:
        """Reads predictions.npz."""
        with np.load(path) as arrays:
            return cls(**arrays)

    def save(self, path: pathlib.Path) -> None:
        """Writes predictions.npz."""
        file = io.BytesIO()
        np.savez_compressed(file, **dataclasses.asdict(self))
        write_atomically(path, file.getvalue())


def find_confidences(logits: np.ndarray) -> np.ndarray:
    """Returns the probability of each predicted class.

    Args:
      logits: float32 [..., classes].

    Returns:
      float64 [...], 0 to 1.
    """
    return special.softmax(logits.astype(np.float64), axis=-1).max(axis=-1)
