"""A dataset of the size of CIFAR-10: 50,000 images of 32x32 pixels, RGB.

Its images are drawn at random, since CIFAR-10 itself would have to be
downloaded. They have coarse structures and noise, so that PNG compresses them
about as well as photographs.
"""

import pathlib

import numpy as np

NAME = "small_images"
"""TFDS name of the dataset."""

NUM_EXAMPLES = 50_000

_NUM_CLASSES = 10
_BLOCK = 1000
_SHAPE = (32, 32, 3)


class SmallImagesWriter:
    """Writes the dataset with TFDS's own writer.

    Args:
      folder: Directory for temporary data.
      num_examples: Number of examples.
    """

    def __init__(
        self, folder: pathlib.Path, num_examples: int = NUM_EXAMPLES
    ) -> None:
        self._folder = folder
        self._num_examples = num_examples

    def write(self, file_format: str) -> str:
        """Writes it in one of TFDS's file formats, and returns its data_dir."""
        import tensorflow_datasets as tfds

        data_dir = self._folder / f"{NAME}_{file_format}"
        path = data_dir / NAME / "1.0.0"
        path.mkdir(parents=True)
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(
                    shape=_SHAPE, encoding_format="png"
                ),
                "label": tfds.features.ClassLabel(num_classes=_NUM_CLASSES),
            }
        )
        writer = tfds.core.SequentialWriter(
            tfds.core.DatasetInfo(
                builder=tfds.core.DatasetIdentity(
                    name=NAME,
                    version=tfds.core.Version("1.0.0"),
                    data_dir=str(path),
                    module_name="",
                ),
                features=features,
                supervised_keys=("image", "label"),
            ),
            max_examples_per_shard=-(-self._num_examples // 8),
            file_format=file_format,
        )
        writer.initialize_splits(["train"])
        rng = np.random.default_rng(0)
        for start in range(0, self._num_examples, _BLOCK):
            n = min(_BLOCK, self._num_examples - start)
            images = _draw_images(rng, n)
            labels = rng.integers(0, _NUM_CLASSES, n)
            examples = [
                {"image": image, "label": label}
                for image, label in zip(images, labels, strict=True)
            ]
            writer.add_examples({"train": examples})
        writer.close_all()
        return str(data_dir)


def _draw_images(rng: np.random.Generator, n: int) -> np.ndarray:
    images = np.zeros((n, *_SHAPE))
    for size in (4, 8, 16):
        noise = rng.normal(0, 24, (n, size, size, 3))
        images += noise.repeat(32 // size, 1).repeat(32 // size, 2)
    return np.clip(images + 128, 0, 255).astype(np.uint8)
