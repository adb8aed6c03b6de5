"""A split to stream from: decoded in memory, or records on disk.

Either way, what streams, is shuffled and dealt out are keys: small stand-ins
for examples that are decoded last, when it is known which replica needs them.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from trainer.png import decode_pngs
from trainer.progress import Progress
from trainer.randomness import ALGORITHM, Purpose, make_seed

WINDOW = 10_000
"""Records that `RecordSplit` holds and shuffles at a time: about 10 MB."""

_READ_BATCH = 1000

_NUM_PREFETCHED = 16
"""Batches that are ready before they are asked for: in uint8, 0.5 MB each at
128 images, and 4 MB while a split is loaded."""

_CYCLE_LENGTH = 4
"""Shards that a window of `RecordSplit` draws from at a time."""


class TrainSplit(Protocol):
    """What the training pipeline needs of a split."""

    def __len__(self) -> int:
        """Returns the number of examples."""
        ...

    def shuffle(self, seed: int, start: int) -> tf.data.Dataset:
        """Returns the keys of all epochs, without end, each in its own order.

        Args:
          seed: Determines the orders of all epochs.
          start: How many keys to leave out at the beginning.

        Returns:
          Vectors of keys, of any length.
        """
        ...

    def decode(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Turns keys [b] into images uint8 [b, ...] and labels int64 [b, p]."""
        ...


class Split(TrainSplit, Protocol):
    """What evaluation needs, too."""

    def in_order(self) -> tf.data.Dataset:
        """Returns the keys one by one, always in the same order."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class MemorySplit:
    """A decoded split in host memory; its keys are row numbers.

    So shuffling moves 8 bytes an example, not 4 KiB, and is over the whole
    split.

    Attributes:
      images: uint8 [n, height, width, 1].
      labels: int64 [n, positions].
    """

    images: tf.Tensor
    labels: tf.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def shuffle(self, seed: int, start: int) -> tf.data.Dataset:
        """As `TrainSplit.shuffle`; an epoch permutes the whole split."""
        first_epoch, done = divmod(start, len(self))

        def permute_rows(epoch: tf.Tensor) -> tf.Tensor:
            rows = tf.range(len(self), dtype=tf.int64)
            skip = tf.where(epoch == first_epoch, done, 0)
            return _permute(rows, seed, epoch)[skip:]

        return _count_from(first_epoch).map(permute_rows)

    def in_order(self) -> tf.data.Dataset:
        """As `Split.in_order`."""
        return tf.data.Dataset.range(len(self))

    def decode(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `TrainSplit.decode`."""
        return tf.gather(self.images, keys), tf.gather(self.labels, keys)


@dataclasses.dataclass(frozen=True, eq=False)
class RecordSplit:
    """A split on disk; its keys are serialised records.

    Memory holds a few windows of records, however long the split is. Each epoch
    reads the shards in another order, some at a time, and shuffles within
    windows. The order depends on the number of shards.

    Attributes:
      builder: A prepared builder of `seqdigits`.
      name: The split's.
      window: Records to shuffle at a time.
    """

    builder: tfds.core.DatasetBuilder
    name: str
    window: int = WINDOW

    def __len__(self) -> int:
        return int(self.builder.info.splits[self.name].num_examples)

    @property
    def _paths(self) -> list[str]:
        return [str(p) for p in self.builder.info.splits[self.name].filepaths]

    def shuffle(self, seed: int, start: int) -> tf.data.Dataset:
        """As `TrainSplit.shuffle`: shards, and windows of their records."""
        window = tf.constant(self.window, tf.int64)
        first_epoch, done = divmod(start, len(self))

        def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            skip = tf.where(
                epoch == first_epoch, tf.constant(done, tf.int64), 0
            )

            def permute_window(
                index: tf.Tensor, records: tf.Tensor
            ) -> tf.Tensor:
                # The first window after those that are skipped is cut.
                first = tf.maximum(skip - index * window, 0)
                return _permute(records, seed, epoch, index)[first:]

            shards = _permute(tf.constant(self._paths), seed, epoch)
            return (
                tf.data.Dataset.from_tensor_slices(shards)
                .interleave(tf.data.TFRecordDataset, cycle_length=_CYCLE_LENGTH)
                .batch(self.window)
                .enumerate()
                .skip(skip // window)
                .map(permute_window)
            )

        return _count_from(first_epoch).flat_map(read_epoch)

    def in_order(self) -> tf.data.Dataset:
        """As `Split.in_order`."""
        return tf.data.TFRecordDataset(self._paths)

    def decode(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `TrainSplit.decode`."""
        image, label = (
            self.builder.info.features[name] for name in ("image", "label")
        )
        examples = tf.io.parse_example(
            keys,
            {
                "image": tf.io.FixedLenFeature((), tf.string),
                "label": tf.io.FixedLenFeature(label.shape, tf.int64),
            },
        )
        return decode_pngs(examples["image"], image.shape), examples["label"]


def decode_ahead(
    keys: tf.data.Dataset, decode: Callable[..., Any]
) -> tf.data.Dataset:
    """Decodes batches of keys on all cores, some before they are asked for.

    Args:
      keys: Elements to decode.
      decode: Tensors of an element -> tensors.
    """
    options = tf.data.Options()
    # What divides the data among workers is in `input_pipeline`.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    # Its thread sleeps, and whoever deletes the iterator waits for it: a third
    # of a second after loading, up to a minute for a MultiDeviceIterator, which
    # is what MirroredStrategy makes.
    options.autotune.enabled = False
    # There is nothing to rewrite, and looking for it takes 15 ms.
    options.experimental_optimization.apply_default_optimizations = False
    return (
        keys.map(decode, num_parallel_calls=os.cpu_count())
        .prefetch(_NUM_PREFETCHED)
        .with_options(options)
    )


def load_split(builder: tfds.core.DatasetBuilder, name: str) -> MemorySplit:
    """Reads and decodes a whole split, with a progress display.

    Args:
      builder: A prepared builder of `seqdigits`.
      name: Name of the split.

    Returns:
      The examples, in an order that does not depend on the number of shards.
    """
    records = RecordSplit(builder, name)
    batches = []
    with Progress(len(records), f"Loading {name}", "images") as progress:
        for batch in decode_ahead(
            records.in_order().batch(_READ_BATCH), records.decode
        ):
            batches.append(batch)
            progress.advance(len(batch[1]))
    # Where tf.data runs; a GPU would be the default place.
    with tf.device("/CPU:0"):
        return MemorySplit(
            *(tf.concat(parts, axis=0) for parts in zip(*batches, strict=True))
        )


def read_images(split: Split, rows: np.ndarray) -> np.ndarray:
    """Reads the images of a few examples.

    Args:
      split: The split.
      rows: int64 [n]; which, counted in the order of `in_order`, ascending.

    Returns:
      uint8 [n, height, width, 1].
    """
    dataset = (
        split.in_order()
        .enumerate()
        .filter(lambda row, _: tf.reduce_any(row == rows))
        .map(lambda _, key: key)
        .batch(max(len(rows), 1))
        .map(split.decode)
    )
    for images, _ in dataset:
        return images.numpy()
    return np.empty((0, 1, 1, 1), np.uint8)


def _count_from(start: int) -> tf.data.Dataset:
    # Made faster than `counter`, which has a function of its own.
    return tf.data.Dataset.range(start, tf.int64.max)


def _permute(
    values: tf.Tensor, seed: int, *place: tf.Tensor | int
) -> tf.Tensor:
    """Shuffles `values` [n]; another place gives an independent order."""
    return tf.random.experimental.stateless_shuffle(
        values, make_seed(seed, Purpose.ORDER, *place), alg=ALGORITHM
    )
