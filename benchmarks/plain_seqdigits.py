"""A conventional TFDS builder, which yields one example at a time.

For comparison only. It draws random numbers from a sequential generator, and
renders each image separately.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from seqdigits_tfds import errors, glyphs, mnist_files, sources
from seqdigits_tfds.configs import find_config

NUM_EXAMPLES = {"train": 60_000, "validation": 5_000, "test": 10_000}
MAX_DIGITS = 5
IMAGE_SIZE = 64
"""Height and width of an image, in pixels."""

NUM_CLASSES = 10

BLANK, NO_GLYPH = NUM_CLASSES, -1
"""Class and glyph id of a position after the last digit."""


class PlainSeqdigits(tfds.core.GeneratorBasedBuilder):
    """The features and splits of `seqdigits/mnist`, without its guarantees."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Put MNIST's four files into manual_dir."

    def _info(self) -> tfds.core.DatasetInfo:
        label = tfds.features.ClassLabel(num_classes=BLANK + 1)
        shape = (IMAGE_SIZE, IMAGE_SIZE, 1)
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=shape),
                    "label": tfds.features.Sequence(label, length=MAX_DIGITS),
                    "length": np.int64,
                    "glyph_id": tfds.features.Tensor(
                        shape=(MAX_DIGITS,), dtype=np.int64
                    ),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        source = load_glyphs(dl_manager.manual_dir)
        return {
            split: self._generate_examples(source, split)
            for split in NUM_EXAMPLES
        }

    def _generate_examples(
        self, source: glyphs.GlyphSource, split: str
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        rng = np.random.default_rng(0)
        for key in range(NUM_EXAMPLES[split]):
            length = int(rng.integers(1, MAX_DIGITS + 1))
            rows = rng.choice(source.pools[split], length)
            image = draw(source.images[rows])
            padding = (0, MAX_DIGITS - length)
            yield (
                key,
                {
                    "image": image[:, :, None],
                    "label": np.pad(
                        source.labels[rows], padding, constant_values=BLANK
                    ),
                    "length": length,
                    "glyph_id": np.pad(rows, padding, constant_values=NO_GLYPH),
                },
            )


def load_glyphs(manual_dir: str | tfds.core.Path) -> glyphs.GlyphSource:
    """Loads MNIST's digits.

    Args:
      manual_dir: Directory with MNIST's four files.

    Raises:
      InputError: If a file is missing, or is not the published one.
    """
    files = mnist_files.find_files(tfds.core.Path(manual_dir))
    if files is None:
        raise errors.InputError(
            "manual_dir must be the directory that contains MNIST's four"
            f" files, got {str(manual_dir)!r}, which contains none of them"
        )
    return sources.find_source("mnist").load(
        find_config("mnist"), tfds.core.Path(), lambda: files
    )


def draw(digits: np.ndarray) -> np.ndarray:
    """Draws one image.

    Args:
      digits: uint8 [k, 28, 28], at most `MAX_DIGITS` digits.

    Returns:
      uint8 [64, 64], the digits side by side, resized by Pillow.
    """
    size = sources.GLYPH_SIZE
    row = np.zeros((size, size * MAX_DIGITS), np.uint8)
    row[:, : size * len(digits)] = np.hstack(list(digits))
    resized = Image.fromarray(row).resize(
        (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR
    )
    return np.asarray(resized)
