"""Loaders that use Grain's `MapDataset`.

See https://google-grain.readthedocs.io.
"""

import dataclasses
import math

import numpy as np
from absl import flags

from benchmarks.loaders.data_source import DataSource
from benchmarks.loaders.loader import Batches, Loader
from benchmarks.loaders.split_files import SplitFiles


class GrainPixels(Loader):
    """`MapDataset` over an ArrayRecord file of pixels.

    Args:
      files: The split to read.
      num_workers: Number of processes that make batches; 0 to use threads.
    """

    def __init__(self, files: SplitFiles, num_workers: int) -> None:
        super().__init__(files)
        self._num_workers = num_workers
        self._num_epochs = 0

    def open(self) -> None:
        """Opens the file."""
        import grain

        images, labels = self._files.load_arrays()
        self._dataset = grain.MapDataset.source(
            grain.sources.ArrayRecordDataSource(self._files.pixel_array_record)
        ).map(_ParseRecord(images.shape[1:], labels.shape[1:]))

    def epoch(self, batch_size: int) -> Batches:
        """Shuffles with the number of the epoch as the seed."""
        import grain

        self._num_epochs += 1
        batches = (
            self._dataset.shuffle(seed=self._num_epochs)
            .batch(batch_size, drop_remainder=True)
            .to_iter_dataset()
        )
        if self._num_workers:
            # Grain reads absl's flags, which only the main process has parsed.
            flags.FLAGS.mark_as_parsed()
            batches = batches.mp_prefetch(
                grain.MultiprocessingOptions(self._num_workers)
            )
        return batches


@dataclasses.dataclass(frozen=True)
class _ParseRecord:
    """Parses a record of `SplitFiles.pixel_array_record`.

    A class, because Grain's processes need a function that can be pickled.

    Attributes:
      image_shape: (height, width, channels).
      label_shape: (positions,), or () for a single label.
    """

    image_shape: tuple[int, ...]
    label_shape: tuple[int, ...]

    def __call__(self, record: bytes) -> tuple[np.ndarray, np.ndarray]:
        num_pixels = math.prod(self.image_shape)
        image = np.frombuffer(record, np.uint8, count=num_pixels)
        label = np.frombuffer(record, np.int64, offset=num_pixels)
        return (
            image.reshape(self.image_shape),
            label.reshape(self.label_shape),
        )


class GrainDataSource(GrainPixels):
    """`MapDataset` over `tfds.data_source`, which decodes PNGs."""

    def open(self) -> None:
        """Opens the files."""
        import grain

        self._dataset = grain.MapDataset.source(DataSource(self._files))
