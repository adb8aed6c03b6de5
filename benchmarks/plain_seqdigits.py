"""The dataset as a TFDS builder is usually written: one array after the other.

For comparison only: it draws with a sequential generator, and resizes and
yields image after image.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from seqdigits_tfds import errors, glyphs, mnist_files

NUM_EXAMPLES = {"train": 60_000, "validation": 5_000, "test": 10_000}
MAX_DIGITS = 5
_SIZE = 64


class PlainSeqdigits(tfds.core.GeneratorBasedBuilder):
    """What `seqdigits/mnist` has, without its guarantees."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Put MNIST's four files here."

    def _info(self) -> tfds.core.DatasetInfo:
        label = tfds.features.ClassLabel(num_classes=11)
        ids = tfds.features.Tensor(shape=(MAX_DIGITS,), dtype=np.int64)
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(_SIZE, _SIZE, 1)),
                    "label": tfds.features.Sequence(label, length=MAX_DIGITS),
                    "length": np.int64,
                    "glyph_id": ids,
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
        random = np.random.default_rng(0)
        for key in range(NUM_EXAMPLES[split]):
            length = int(random.integers(1, MAX_DIGITS + 1))
            rows = random.choice(source.pools[split], length)
            image = draw(source.images[rows])
            blanks = (0, MAX_DIGITS - length)
            yield (
                key,
                {
                    "image": image[:, :, None],
                    "label": np.pad(
                        source.labels[rows], blanks, constant_values=10
                    ),
                    "length": length,
                    "glyph_id": np.pad(rows, blanks, constant_values=-1),
                },
            )


def load_glyphs(manual_dir: str | tfds.core.Path) -> glyphs.GlyphSource:
    """Loads MNIST's digits.

    Raises:
      InputError: If MNIST's four files aren't in `manual_dir`.
    """
    files = mnist_files.find_files(tfds.core.Path(manual_dir))
    if files is None:
        raise errors.InputError(
            "manual_dir must be the directory that MNIST's four files are in,"
            f" got {str(manual_dir)!r}, where they are not"
        )
    return glyphs.load_mnist(files)


def draw(digits: np.ndarray) -> np.ndarray:
    """Stitches digits uint8 [k, 28, 28] and resizes the row, as Pillow does."""
    row = np.zeros((28, 28 * MAX_DIGITS), np.uint8)
    row[:, : 28 * len(digits)] = np.hstack(list(digits))
    resized = Image.fromarray(row).resize(
        (_SIZE, _SIZE), Image.Resampling.BILINEAR
    )
    return np.asarray(resized)
