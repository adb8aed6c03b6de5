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

_MAX_WRONG, _MAX_RIGHT, _MAX_HARDEST = 60, 12, 24


@dataclasses.dataclass(frozen=True)
class SavedPredictions:
    """Predictions for the test split, and a selection of its images.

    Attributes:
      labels: int64 [n, positions].
      logits: float32 [n, positions, classes].
      glyph_ids: int64 [n, positions], the digit images; -1 for a blank.
      rows: int64 [g], the selected examples, ascending.
      images: uint8 [g, height, width, 1], their images.
    """

    labels: np.ndarray
    logits: np.ndarray
    glyph_ids: np.ndarray
    rows: np.ndarray
    images: np.ndarray

    @classmethod
    def select(
        cls, predictions: Predictions, glyph_ids: np.ndarray, split: Split
    ) -> Self:
        """Selects mistakes and the least certain correct examples.

        The mistakes are those with the highest confidence, and one of each of
        the digit images that were misread most often.

        Args:
          predictions: The predictions for all examples of `split`.
          glyph_ids: int64 [n, positions], their digit images; -1 for a blank.
          split: The split with the images.
        """
        labels, logits = predictions.labels, predictions.logits
        order = np.argsort(
            find_confidences(logits).prod(axis=-1), kind="stable"
        )
        is_right = (logits.argmax(axis=-1) == labels).all(axis=-1)[order]
        worst, least_certain = order[~is_right][::-1], order[is_right]
        hardest = find_hardest(labels, logits, glyph_ids)
        rows = np.unique(
            np.concatenate(
                [
                    worst[:_MAX_WRONG],
                    least_certain[:_MAX_RIGHT],
                    np.array([glyph.row for glyph in hardest], np.int64),
                ]
            )
        )
        images = split.read(rows)["image"].numpy()
        return cls(labels, logits, glyph_ids, rows, images)

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


@dataclasses.dataclass(frozen=True)
class HardGlyph:
    """A digit image that was misread.

    Attributes:
      glyph_id: Its row in the glyph source.
      num_wrong: Number of times that it was misread.
      num_shown: Number of times that it occurs.
      row: An example in which it was misread.
      position: Its position there.
    """

    glyph_id: int
    num_wrong: int
    num_shown: int
    row: int
    position: int


def find_hardest(
    labels: np.ndarray, logits: np.ndarray, glyph_ids: np.ndarray
) -> list[HardGlyph]:
    """Finds the digit images that were misread most often.

    Args:
      labels: int [n, positions].
      logits: float32 [n, positions, classes].
      glyph_ids: int [n, positions]; -1 for a blank.

    Returns:
      At most 24, the worst first; in order of their ids where that is equal.
    """
    is_wrong = (logits.argmax(axis=-1) != labels) & (glyph_ids >= 0)
    wrong, first, counts = np.unique(
        glyph_ids[is_wrong], return_index=True, return_counts=True
    )
    rows, positions = np.nonzero(is_wrong)
    worst = np.argsort(-counts, kind="stable")[:_MAX_HARDEST]
    return [
        HardGlyph(
            glyph_id=int(wrong[n]),
            num_wrong=int(counts[n]),
            num_shown=int((glyph_ids == wrong[n]).sum()),
            row=int(rows[first[n]]),
            position=int(positions[first[n]]),
        )
        for n in worst
    ]


def find_confidences(logits: np.ndarray) -> np.ndarray:
    """Returns the probability of each predicted class.

    Args:
      logits: float32 [..., classes].

    Returns:
      float64 [...], 0 to 1.
    """
    return special.softmax(logits.astype(np.float64), axis=-1).max(axis=-1)
