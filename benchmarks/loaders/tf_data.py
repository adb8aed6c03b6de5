"""Loaders that use `tf.data`: the trainer's pipeline, and `tfds.load`."""

import itertools
from collections.abc import Iterator
from typing import Any

from benchmarks.loaders.loader import Batches, Loader


class SeqDigitsMemory(Loader):
    """The trainer's pipeline, with the decoded split in memory."""

    _prefetches_next_epoch = True
    _from_disk = False

    def open(self) -> None:
        """Opens the split, and decodes it unless it stays on disk."""
        from trainer.data import open_split

        self._split: Any = open_split(
            self._files.make_builder(),
            "train",
            ["image", "label"],
            from_disk=self._from_disk,
        )
        self._streams: dict[int, Iterator[Any]] = {}

    def epoch(self, batch_size: int) -> Batches:
        """Returns the next batches of one endless stream."""
        from trainer.data import make_train_dataset

        if batch_size not in self._streams:
            self._streams[batch_size] = (
                (examples["image"], examples["label"])
                for _, examples in make_train_dataset(
                    self._split, batch_size, seed=0
                )
            )
        num_batches = len(self._split) // batch_size
        return itertools.islice(self._streams[batch_size], num_batches)


class SeqDigitsDisk(SeqDigitsMemory):
    """The trainer's pipeline, which reads and decodes records in each epoch."""

    _from_disk = True


class TfdsLoad(Loader):
    """`tfds.load`, then `cache`, `shuffle`, `batch` and `prefetch`.

    See https://www.tensorflow.org/datasets/keras_example.
    """

    def open(self) -> None:
        """Makes the dataset, whose cache is filled in the first epoch."""
        import tensorflow_datasets as tfds

        dataset, info = tfds.load(
            self._files.dataset,
            split="train",
            data_dir=self._files.data_dir,
            shuffle_files=True,
            as_supervised=True,
            with_info=True,
        )
        num_examples = info.splits["train"].num_examples
        self._shuffled = dataset.cache().shuffle(num_examples)

    def epoch(self, batch_size: int) -> Batches:
        """Returns the shuffled dataset, in batches."""
        import tensorflow as tf

        return self._shuffled.batch(batch_size, drop_remainder=True).prefetch(
            tf.data.AUTOTUNE
        )
