"""Ways to stream shuffled batches of uint8 images and their labels.

Each is set up as its own documentation has it (named there), and reads the same
split, from what `feed_data` wrote. The libraries are imported where they are
used: each contestant runs in a process of its own, whose memory is measured.
"""

import abc
import copy
import dataclasses
import itertools
import math
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from benchmarks.feed_data import Data, read_pngs

Batches = Iterable[tuple[Any, Any]]
"""Pairs of images [batch, height, width, 1] and labels [batch, positions]."""


class Feed(abc.ABC):
    """A contestant: reads `data`, and streams epochs of it."""

    _is_endless = False
    """Whether an epoch begins where the one before ended, without a pause."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._is_open = False

    @abc.abstractmethod
    def open(self) -> None:
        """Reads what stays in memory."""

    @abc.abstractmethod
    def epoch(self, batch_size: int) -> Batches:
        """Returns the full batches of an epoch, in another order each time."""

    def measure_warm(self, batch_size: int) -> float:
        """Returns images per second of an epoch, the second at least."""
        if not self._is_open:
            self.open()
            self._is_open = True
            _count_images(self.epoch(batch_size))
        if self._is_endless:
            # What was prefetched since the last epoch is not for free.
            _count_images(self.epoch(batch_size))
        begin = time.perf_counter()
        num_images = _count_images(self.epoch(batch_size))
        return num_images / (time.perf_counter() - begin)

    def measure_cold(self, batch_size: int) -> float:
        """Returns images per second of a first epoch, from disk."""
        # Nothing is left of an earlier one.
        fresh = copy.copy(self)
        begin = time.perf_counter()
        fresh.open()
        num_images = _count_images(fresh.epoch(batch_size))
        return num_images / (time.perf_counter() - begin)


def _count_images(batches: Batches) -> int:
    return sum(len(labels) for _, labels in batches)


class SeqDigits(Feed):
    """Our training pipeline, the split in memory."""

    _is_endless = True

    def open(self) -> None:
        """Decodes the split."""
        from trainer.splits import load_split

        self._split: Any = load_split(self._data.make_builder(), "train")
        self._streams: dict[int, Iterator[Any]] = {}

    def epoch(self, batch_size: int) -> Batches:
        """Goes on with the endless stream."""
        from trainer.input_pipeline import make_train_dataset

        if batch_size not in self._streams:
            self._streams[batch_size] = iter(
                make_train_dataset(self._split, batch_size, seed=0)
            )
        num_batches = len(self._split) // batch_size
        return itertools.islice(self._streams[batch_size], num_batches)


class SeqDigitsRecords(SeqDigits):
    """Our training pipeline, records read and decoded in each epoch."""

    def open(self) -> None:
        """Keeps nothing in memory."""
        from trainer.splits import RecordSplit

        self._split = RecordSplit(self._data.make_builder(), "train")
        self._streams = {}


class TfdsLoad(Feed):
    """`tfds.load`, then `cache`, `shuffle`, `batch`, `prefetch`.

    https://www.tensorflow.org/datasets/keras_example
    """

    def open(self) -> None:
        """Makes the dataset; the first epoch fills its cache."""
        import tensorflow_datasets as tfds

        dataset, info = tfds.load(
            self._data.dataset,
            split="train",
            data_dir=self._data.data_dir,
            shuffle_files=True,
            as_supervised=True,
            with_info=True,
        )
        size = info.splits["train"].num_examples
        self._shuffled = dataset.cache().shuffle(size)

    def epoch(self, batch_size: int) -> Batches:
        """Iterates over the dataset once more."""
        import tensorflow as tf

        return self._shuffled.batch(batch_size, drop_remainder=True).prefetch(
            tf.data.AUTOTUNE
        )


class NumPy(Feed):
    """The floor, warm: an array indexed by shuffled row numbers."""

    def open(self) -> None:
        """Reads the arrays."""
        self._images, self._labels = self._data.load_arrays()
        self._random = np.random.default_rng(0)

    def epoch(self, batch_size: int) -> Batches:
        """Permutes all rows, and picks batch after batch."""
        rows = self._random.permutation(len(self._labels))
        for start in range(0, len(rows) - batch_size + 1, batch_size):
            batch = rows[start : start + batch_size]
            yield self._images[batch], self._labels[batch]


class Torch(Feed):
    """`DataLoader` over a `TensorDataset`.

    https://docs.pytorch.org/docs/stable/data.html

    Args:
      data: What to read.
      num_workers: Processes that make batches; 0: none.
    """

    def __init__(self, data: Data, num_workers: int) -> None:
        super().__init__(data)
        self._num_workers = num_workers
        self._loaders: dict[int, Any] = {}

    def open(self) -> None:
        """Reads the arrays."""
        self._loaders = {}
        self._examples = self._open_examples()

    def _open_examples(self) -> Any:
        import torch
        from torch.utils.data import TensorDataset

        return TensorDataset(*map(torch.from_numpy, self._data.load_arrays()))

    def epoch(self, batch_size: int) -> Batches:
        """Iterates over the loader once more; its workers persist."""
        if batch_size not in self._loaders:
            self._loaders[batch_size] = self._make_loader(batch_size)
        return self._loaders[batch_size]

    def _make_loader(self, batch_size: int) -> Any:
        from torch.utils.data import DataLoader

        return DataLoader(
            self._examples,
            batch_size=batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=self._num_workers,
            persistent_workers=self._num_workers > 0,
        )


class TorchInBulk(Torch):
    """`DataLoader` that asks the `TensorDataset` for whole batches.

    See "Disabling automatic batching" in its documentation.
    """

    def _make_loader(self, batch_size: int) -> Any:
        from torch.utils import data

        batches = data.BatchSampler(
            data.RandomSampler(self._examples), batch_size, drop_last=True
        )
        return data.DataLoader(
            self._examples,
            batch_size=None,
            sampler=batches,
            num_workers=self._num_workers,
        )


class TorchFromDisk(Torch):
    """`DataLoader` over TFDS's `data_source`.

    https://www.tensorflow.org/datasets/data_source
    """

    def _open_examples(self) -> Any:
        return _DataSource(self._data)


class _DataSource:
    """TFDS's random access to ArrayRecord files, images and labels only."""

    def __init__(self, data: Data) -> None:
        import tensorflow_datasets as tfds

        self._source = tfds.data_source(
            data.dataset, split="train", data_dir=data.array_record_dir
        )

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        example = self._source[index]
        return example["image"], np.asarray(example["label"])


class HuggingFace(Feed):
    """`datasets.Dataset` with pixels, shuffled anew in each epoch.

    https://huggingface.co/docs/datasets/use_with_numpy

    Args:
      data: What to read.
      format_name: "numpy" or "torch".
    """

    def __init__(self, data: Data, format_name: str) -> None:
        super().__init__(data)
        self._format_name = format_name

    def open(self) -> None:
        """Reads the Arrow table into memory."""
        self._open(self._data.hugging_face_pixels, keep_in_memory=True)

    def _open(self, path: str, *, keep_in_memory: bool) -> None:
        import datasets

        self._examples = datasets.load_from_disk(
            path, keep_in_memory=keep_in_memory
        ).with_format(self._format_name)

    def epoch(self, batch_size: int) -> Batches:
        """Shuffles row numbers, and reads batch after batch."""
        shuffled = self._examples.shuffle()
        for batch in shuffled.iter(batch_size, drop_last_batch=True):
            yield batch["image"], batch["label"]


class HuggingFaceFromDisk(HuggingFace):
    """The same, with PNGs that are decoded when they are asked for."""

    def open(self) -> None:
        """Maps the Arrow table's file."""
        self._open(self._data.hugging_face_pngs, keep_in_memory=False)


class Grain(Feed):
    """Grain over ArrayRecord with pixels.

    https://google-grain.readthedocs.io

    Args:
      data: What to read.
      num_workers: Processes that make batches; 0: threads.
    """

    def __init__(self, data: Data, num_workers: int) -> None:
        super().__init__(data)
        self._num_workers = num_workers
        self._num_epochs = 0

    def open(self) -> None:
        """Opens the file."""
        import grain

        images, labels = self._data.load_arrays()
        self._examples = grain.MapDataset.source(
            grain.sources.ArrayRecordDataSource(self._data.raw_array_record)
        ).map(_TakeApart(images.shape[1:], labels.shape[1]))

    def epoch(self, batch_size: int) -> Batches:
        """Shuffles with the epoch's number as a seed."""
        import grain

        self._num_epochs += 1
        batches = (
            self._examples.shuffle(seed=self._num_epochs)
            .batch(batch_size, drop_remainder=True)
            .to_iter_dataset()
        )
        if self._num_workers:
            batches = batches.mp_prefetch(
                grain.MultiprocessingOptions(self._num_workers)
            )
        return batches


@dataclasses.dataclass(frozen=True)
class _TakeApart:
    """Splits a record into pixels and label."""

    image_shape: tuple[int, ...]
    num_positions: int

    def __call__(self, record: bytes) -> tuple[np.ndarray, np.ndarray]:
        num_pixels = math.prod(self.image_shape)
        image = np.frombuffer(record, np.uint8, count=num_pixels)
        label = np.frombuffer(record, np.int64, offset=num_pixels)
        return image.reshape(self.image_shape), label


class GrainFromDisk(Grain):
    """Grain over TFDS's `data_source`, with PNGs.

    https://www.tensorflow.org/datasets/data_source
    """

    def open(self) -> None:
        """Opens the files."""
        import grain

        self._examples = grain.MapDataset.source(_DataSource(self._data))


class PngDecoding(Feed):
    """The floor, cold: `tf.io.decode_png` on all cores, PNGs in memory."""

    def open(self) -> None:
        """Reads the PNGs."""
        import tensorflow as tf

        self._shape = self._data.make_builder().info.features["image"].shape
        self._pngs = tf.constant(read_pngs(self._data))

    def epoch(self, batch_size: int) -> Batches:
        """Decodes them, in order."""
        import tensorflow as tf

        def decode(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # A turn of the loop takes half as long as a PNG: some in each.
            pngs = self._pngs[start : start + batch_size]
            images = tf.map_fn(
                lambda some: tf.stack(
                    [tf.io.decode_png(png) for png in tf.unstack(some, 8)]
                ),
                tf.reshape(pngs, (-1, 8)),
                fn_output_signature=tf.uint8,
            )
            return tf.reshape(images, (batch_size, *self._shape)), pngs

        options = tf.data.Options()
        options.autotune.enabled = False  # Which would take longer.
        num_batches = len(self._pngs) // batch_size
        return (
            tf.data.Dataset.range(0, num_batches * batch_size, batch_size)
            .map(decode, num_parallel_calls=os.cpu_count())
            .prefetch(16)
            .with_options(options)
        )

    def measure_cold(self, batch_size: int) -> float:
        """Returns images per second, reading not counted."""
        self.open()
        begin = time.perf_counter()
        num_images = _count_images(self.epoch(batch_size))
        return num_images / (time.perf_counter() - begin)
