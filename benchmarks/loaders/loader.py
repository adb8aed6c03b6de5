"""The base class of all loaders, and their measurement."""

import abc
import copy
import time
from collections.abc import Iterable
from typing import Any

from benchmarks.loaders.split_files import SplitFiles

Batches = Iterable[tuple[Any, Any]]
"""Pairs of images uint8 [batch, height, width, channels] and labels int64
[batch, ...]."""


class Loader(abc.ABC):
    """Loads epochs of shuffled batches.

    Args:
      files: The split to read.
    """

    _prefetches_next_epoch = False
    """Whether batches of the next epoch are loaded before it is requested."""

    def __init__(self, files: SplitFiles) -> None:
        self._files = files
        self._is_open = False

    @abc.abstractmethod
    def open(self) -> None:
        """Opens the split, and reads what stays in memory."""

    @abc.abstractmethod
    def epoch(self, batch_size: int) -> Batches:
        """Returns the full batches of one epoch, in a new order."""

    def measure_warm(self, batch_size: int) -> float:
        """Returns the images per second of the second or a later epoch."""
        if not self._is_open:
            self.open()
            self._is_open = True
            count_images(self.epoch(batch_size))
        if self._prefetches_next_epoch:
            # Batches that were prefetched since the last call would make the
            # measurement too fast.
            count_images(self.epoch(batch_size))
        start = time.perf_counter()
        num_images = count_images(self.epoch(batch_size))
        return num_images / (time.perf_counter() - start)

    def measure_processor_time(self, batch_size: int) -> float:
        """Returns the microseconds of processor time per image of an epoch.

        Counts all threads, but not the processes that a loader starts.
        """
        self.measure_warm(batch_size)
        start = time.process_time()
        num_images = count_images(self.epoch(batch_size))
        return 1e6 * (time.process_time() - start) / num_images

    def measure_cold(self, batch_size: int) -> float:
        """Returns the images per second of the first epoch, from disk."""
        # A copy, because `open` must not reuse anything from an earlier call.
        loader = copy.copy(self)
        start = time.perf_counter()
        loader.open()
        num_images = count_images(loader.epoch(batch_size))
        return num_images / (time.perf_counter() - start)


def count_images(batches: Batches) -> int:
    """Loads all batches, and returns the number of images in them."""
    return sum(len(labels) for _, labels in batches)
