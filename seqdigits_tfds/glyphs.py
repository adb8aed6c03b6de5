"""Where single digits come from, and which of them each split may use.

A glyph source is one array of digits. Its rows are what the dataset's feature
`glyph_id` names, and each split draws from rows of its own.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from sklearn import datasets as sklearn_datasets

from seqdigits_tfds import mnist_files

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


def load_optdigits() -> GlyphSource:
    """Loads scikit-learn's bundled digits, enlarged to 28x28.

    The 1,797 images are 8x8 with values 0..16 (the test half of UCI's
    "Optical Recognition of Handwritten Digits"). Values are scaled to 0..255
    and rounded, then each image is resized with Pillow's bilinear filter.

    Of every six rows, four go to `train`, one to `validation` and one to
    `test`. The rows of a writer stand together and writers differ much, so
    pools of contiguous rows would be too unlike each other for `validation` to
    tell anything about `test`; the price is that the splits share writers.
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
      files: Path of each of the four files, by its name without ".gz";
        compressed or not.

    Returns:
      70,000 glyphs. `train` has rows 0..54,999 and `validation` rows
      55,000..59,999, all from MNIST's training digits; `test` has rows
      60,000..69,999, MNIST's test digits.

    Raises:
      InputError: If a file isn't what it should be.
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
