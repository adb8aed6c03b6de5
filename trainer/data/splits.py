"""Turns rows into examples: from memory, from records on disk, or generated.

A row is the number of an example in a split: 0 is the first one on disk. The
same row gives the same example, whether it comes from memory or from disk.
"""

import abc
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from seqdigits_tfds.decoding import choose_features, decode_records
from seqdigits_tfds.terminal import Progress
from trainer.data.randomness import permute
from trainer.data.records import explain_read_errors, open_records

Examples = dict[str, tf.Tensor]
"""A batch of examples: a tensor [b, ...] for each feature, by name."""

_NUM_PREFETCHED = 16
"""Number of batches made in advance: 0.5 MB each at 128 images of 64x64."""

_LOADED_AT_ONCE = 1000
"""Number of examples that are decoded together while a split is loaded."""


class Split(abc.ABC):
    """A split of a dataset, as the pipeline uses it."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Returns the number of examples of an epoch."""

    @abc.abstractmethod
    def read(self, rows: tf.Tensor) -> Examples:
        """Makes the examples of some rows, int64 [b]; in a graph or eagerly."""

    def order(self, seed: int, positions: tf.Tensor) -> tf.Tensor:
        """Finds the rows to train on.

        Args:
          seed: Determines the order of every epoch, 0..2**32 - 1.
          positions: int64 [n]; position p belongs to epoch p // len(split).

        Returns:
          int64 [n], the row of each position.
        """
        return permute(seed, positions, len(self))


class MemorySplit(Split):
    """A decoded split in host memory.

    Args:
      examples: All examples, as tensors [n, ...] on the CPU.
    """

    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(next(iter(self.examples.values())))

    def read(self, rows: tf.Tensor) -> Examples:
        """See `Split.read`."""
        return {
            name: tf.gather(values, rows)
            for name, values in self.examples.items()
        }


class DiskSplit(Split):
    """A split in record files, read at random places.

    Memory holds the batches in use and 8 bytes for each record.

    Args:
      builder: A prepared builder of any dataset.
      split: Name or part of a split, such as "train" or "train[:80%]".
      features: Names of the features to read; None for all of them.

    Raises:
      InputError: See `open_split`.
    """

    def __init__(
        self,
        builder: tfds.core.DatasetBuilder,
        split: str,
        features: Sequence[str] | None = None,
    ) -> None:
        self._features = choose_features(builder.info, features)
        self._records = open_records(builder, split)

    def __len__(self) -> int:
        return len(self._records)

    def read(self, rows: tf.Tensor) -> Examples:
        """See `Split.read`."""

        def get(rows: np.ndarray) -> np.ndarray:
            # The reader of ArrayRecords refuses to read nothing.
            found = self._records.__getitems__(rows) if len(rows) else []
            return np.array(found, object)

        records = tf.numpy_function(get, [rows], tf.string, stateful=False)
        return decode_records(
            tf.ensure_shape(records, rows.shape), self._features
        )


class GeneratedSplit(Split):
    """An endless split that makes the example of each position when needed.

    Args:
      make_examples: Makes the examples of some positions, int64 [b]: an array
        [b, ...] for each feature, by name. Called from several threads.
      num_examples: Number of examples that count as an epoch.
      features: Names of the features to use.
    """

    def __init__(
        self,
        make_examples: Callable[[np.ndarray], Mapping[str, np.ndarray]],
        num_examples: int,
        features: Sequence[str],
    ) -> None:
        one = make_examples(np.zeros(1, np.int64))
        self._specs = {name: one[name] for name in features}
        self._make_examples = make_examples
        self._num_examples = num_examples

    def __len__(self) -> int:
        return self._num_examples

    def order(self, seed: int, positions: tf.Tensor) -> tf.Tensor:
        """See `Split.order`. Every epoch has new examples."""
        return positions

    def read(self, rows: tf.Tensor) -> Examples:
        """See `Split.read`."""

        def make(rows: np.ndarray) -> list[np.ndarray]:
            examples = self._make_examples(rows)
            return [examples[name] for name in self._specs]

        dtypes = [value.dtype for value in self._specs.values()]
        values = tf.numpy_function(make, [rows], dtypes, stateful=False)
        return {
            name: tf.ensure_shape(value, (rows.shape[0], *spec.shape[1:]))
            for value, (name, spec) in zip(
                values, self._specs.items(), strict=True
            )
        }


def open_split(
    builder: tfds.core.DatasetBuilder,
    split: str,
    features: Sequence[str] | None = None,
    *,
    from_disk: bool = False,
) -> Split:
    """Opens a split of any prepared TFDS dataset.

    Args:
      builder: A prepared builder, with TFRecords or ArrayRecords.
      split: Name or part of a split, such as "train" or "train[:80%]".
      features: Names of the features to read; None for all of them. Each must
        have a fixed shape and must not be text.
      from_disk: Whether to read records when they are needed. Otherwise, the
        whole split is decoded now, and kept in memory.

    Raises:
      InputError: If the split or a feature does not exist, a feature can't be
        batched, or a file is missing or damaged.
    """
    on_disk = DiskSplit(builder, split, features)
    return on_disk if from_disk else _load(on_disk, split)


def _load(on_disk: DiskSplit, name: str) -> MemorySplit:
    rows = tf.data.Dataset.range(len(on_disk)).batch(_LOADED_AT_ONCE)
    batches: list[Examples] = []
    with (
        explain_read_errors(),
        Progress(len(on_disk), f"Loading {name}", "examples") as progress,
    ):
        for examples in map_ahead(rows, lambda rows: on_disk.read(rows)):
            batches.append(examples)
            progress.advance(len(next(iter(examples.values()))))
    # tf.data runs on the host, but the default device would be a GPU.
    with tf.device("/CPU:0"):
        return MemorySplit(
            {
                name: tf.concat([batch[name] for batch in batches], axis=0)
                for name in batches[0]
            }
        )


def map_ahead(
    dataset: tf.data.Dataset, function: Callable[..., Any]
) -> tf.data.Dataset:
    """Applies a function on all cores, to some elements in advance."""
    options = tf.data.Options()
    # `pipeline` divides the data among workers itself.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    # The autotuning thread sleeps, and deleting the iterator waits for it: for
    # a third of a second after loading, and for up to a minute with the
    # MultiDeviceIterator of MirroredStrategy.
    options.autotune.enabled = False
    # Searching for rewrites takes 15 ms and finds none.
    options.experimental_optimization.apply_default_optimizations = False
    return (
        dataset.map(function, num_parallel_calls=os.cpu_count())
        .prefetch(_NUM_PREFETCHED)
        .with_options(options)
    )
