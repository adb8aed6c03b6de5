"""A split, decoded in memory or as records on disk.

The pipeline shuffles and distributes keys, which are small and identify the
examples. A worker only decodes the keys of its own replicas.
"""

import dataclasses
from typing import Protocol

import tensorflow as tf
import tensorflow_datasets as tfds

from trainer.data.decoding import decode_pngs
from trainer.data.randomness import ALGORITHM, Purpose, make_seed

WINDOW = 10_000
"""Number of records that `DiskSplit` shuffles at a time: about 10 MB."""

_CYCLE_LENGTH = 4
"""Number of shards that `DiskSplit` reads at the same time."""


class TrainSplit(Protocol):
    """A split, as the training pipeline uses it."""

    def __len__(self) -> int:
        """Returns the number of examples in an epoch."""
        ...

    def shuffle(self, seed: int, start: int) -> tf.data.Dataset:
        """Returns an endless stream of keys; each epoch has its own order.

        Args:
          seed: Determines the order of every epoch.
          start: Number of keys to skip at the beginning.

        Returns:
          A dataset of tensors of keys [n, ...]; n varies.
        """
        ...

    def decode(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Decodes keys [b] to images uint8 [b, ...] and labels int64 [b, p]."""
        ...


class Split(TrainSplit, Protocol):
    """A split, as the evaluation pipeline uses it."""

    def in_order(self) -> tf.data.Dataset:
        """Returns the keys one by one, always in the same order."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class MemorySplit:
    """A decoded split in host memory. A key is a row number.

    Shuffling therefore moves 8 bytes per example instead of an image, and
    always covers the whole split.

    Attributes:
      images: uint8 [n, height, width, 1].
      labels: int64 [n, positions].
    """

    images: tf.Tensor
    labels: tf.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def shuffle(self, seed: int, start: int) -> tf.data.Dataset:
        """See `TrainSplit.shuffle`. An epoch permutes the whole split."""
        first_epoch, num_done = divmod(start, len(self))

        def permute_rows(epoch: tf.Tensor) -> tf.Tensor:
            rows = tf.range(len(self), dtype=tf.int64)
            skip = tf.where(epoch == first_epoch, num_done, 0)
            return _permute(rows, seed, epoch)[skip:]

        return _count_from(first_epoch).map(permute_rows)

    def in_order(self) -> tf.data.Dataset:
        """See `Split.in_order`."""
        return tf.data.Dataset.range(len(self))

    def decode(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `TrainSplit.decode`."""
        return tf.gather(self.images, keys), tf.gather(self.labels, keys)


@dataclasses.dataclass(frozen=True, eq=False)
class DiskSplit:
    """A split in TFRecords on disk. A key is a serialised record.

    Memory holds a few windows of records, whatever the size of the split. Each
    epoch reads the shards in a new order, several at a time, and shuffles the
    records within windows. The order depends on the number of shards.

    Attributes:
      builder: A prepared builder of `seqdigits`.
      name: Name of the split.
      window: Number of records to shuffle at a time.
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
        """See `TrainSplit.shuffle`."""
        window = tf.constant(self.window, tf.int64)
        first_epoch, num_done = divmod(start, len(self))

        def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            skip = tf.where(
                epoch == first_epoch, tf.constant(num_done, tf.int64), 0
            )

            def permute_window(
                index: tf.Tensor, records: tf.Tensor
            ) -> tf.Tensor:
                # The start may lie within the first window that is not skipped.
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
        """See `Split.in_order`."""
        return tf.data.TFRecordDataset(self._paths)

    def decode(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `TrainSplit.decode`."""
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


def _count_from(start: int) -> tf.data.Dataset:
    # `Dataset.counter` would trace a function.
    return tf.data.Dataset.range(start, tf.int64.max)


def _permute(
    values: tf.Tensor, seed: int, *indices: tf.Tensor | int
) -> tf.Tensor:
    """Shuffles `values` [n]; other `indices` give an unrelated order."""
    return tf.random.experimental.stateless_shuffle(
        values, make_seed(seed, Purpose.ORDER, *indices), alg=ALGORITHM
    )
