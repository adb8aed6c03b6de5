"""Sources of single digits, and the digits that each split may use.

A glyph source is one array of digits. The dataset's feature `glyph_id` refers
to its rows, and each split draws from its own rows.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from sklearn import datasets as sklearn_datasets

from seqdigits_tfds import composition, mnist_files

SOURCES = ("mnist", "optdigits")
"""Names of the glyph sources."""

GLYPH_SIZE = 28
"""Height and width of a glyph, in pixels."""


@dataclasses.dataclass(frozen=True)
class GlyphSource:
    """Single digits, and the rows that each split may use.

    Attributes:
      images: uint8 [n, 28, 28], 0 = background, 255 = full ink.
      labels: int64 [n], 0..9.
      pools: int64, the rows of each split, pairwise disjoint.
    """

    images: np.ndarray
    labels: np.ndarray
    pools: Mapping[str, np.ndarray]

    def append_blank(
        self, rows: np.ndarray | slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        """Selects digits and appends a blank.

        The blank is the last row, so `composition.NO_GLYPH`, -1, selects it.

        Args:
          rows: int64 [n], the digits to select; all by default.

        Returns:
          Images uint8 [n + 1, 28, 28] and labels int64 [n + 1].
        """
        images = self.images[rows]
        blank = np.zeros_like(images[:1])
        return (
            np.concatenate([images, blank]),
            np.append(self.labels[rows], composition.BLANK),
        )


def load_optdigits() -> GlyphSource:
    """Loads scikit-learn's bundled digits, enlarged to 28x28.

    The 1,797 images are 8x8 with values 0..16 (the test half of UCI's
    "Optical Recognition of Handwritten Digits"). Values are scaled to 0..255
    and rounded, then each image is resized with Pillow's bilinear filter.

    Of every six rows, four go to `train`, one to `validation` and one to
    `test`. Rows are sorted by writer, and writers differ so much that accuracy
    on `validation` would not predict accuracy on `test` if the pools were
    contiguous. The drawback is that the splits share writers.
    """
    digits = sklearn_datasets.load_digits()
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)
    size = (GLYPH_SIZE, GLYPH_SIZE)
    images = np.stack(
        [
            np.asarray(
                Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
            )
            for image in small
        ]
    )
    rows = np.arange(len(images))
    return GlyphSource(
        images=images,
        labels=digits.target.astype(np.int64),
        pools={
            "train": np.flatnonzero(rows % 6 < 4),
            "validation": np.flatnonzero(rows % 6 == 4),
            "test": np.flatnonzero(rows % 6 == 5),
        },
    )


def load_mnist(files: Mapping[str, tfds.core.Path]) -> GlyphSource:
    """Loads MNIST: its 60,000 training digits, then its 10,000 test digits.

    Args:
      files: Path of each of the four files, compressed or not, by the file's
        name without ".gz".

    Returns:
      70,000 glyphs. `train` has rows 0..54,999 and `validation` rows
      55,000..59,999, all from MNIST's training digits; `test` has rows
      60,000..69,999, MNIST's test digits.

    Raises:
      InputError: If a file is not the published one.
    """
    arrays = mnist_files.read_arrays(files)
    return GlyphSource(
        images=np.concatenate(
            [
                arrays["train-images-idx3-ubyte"],
                arrays["t10k-images-idx3-ubyte"],
            ]
        ),
        labels=np.concatenate(
            [
                arrays["train-labels-idx1-ubyte"],
                arrays["t10k-labels-idx1-ubyte"],
            ]
        ).astype(np.int64),
        pools={
            "train": np.arange(0, 55_000),
            "validation": np.arange(55_000, 60_000),
            "test": np.arange(60_000, 70_000),
        },
    )
