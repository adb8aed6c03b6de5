"""Opens the splits of a run: in memory, on disk, or composed on the fly."""

from collections.abc import Callable, Mapping
from typing import TypedDict

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from trainer.data.decoding import decode_ahead
from trainer.data.fresh import make_fresh_split
from trainer.data.splits import DiskSplit, MemorySplit, Split, TrainSplit
from trainer.terminal.progress import Progress

_READ_BATCH = 1000


class Splits(TypedDict):
    """The splits of a run."""

    train: TrainSplit
    validation: Split
    test: Split


def load_split(builder: tfds.core.DatasetBuilder, name: str) -> MemorySplit:
    """Reads and decodes a whole split, with a progress display.

    Args:
      builder: A prepared builder of `seqdigits`.
      name: Name of the split.

    Returns:
      The examples, in an order that does not depend on the number of shards.
    """
    on_disk = DiskSplit(builder, name)
    batches = []
    with Progress(len(on_disk), f"Loading {name}", "images") as progress:
        for batch in decode_ahead(
            on_disk.in_order().batch(_READ_BATCH), on_disk.decode
        ):
            batches.append(batch)
            progress.advance(len(batch[1]))
    # tf.data runs on the host, but the default device would be a GPU.
    with tf.device("/CPU:0"):
        return MemorySplit(
            *(tf.concat(parts, axis=0) for parts in zip(*batches, strict=True))
        )


INPUTS: Mapping[str, Callable[[tfds.core.DatasetBuilder, str], Split]] = {
    "memory": load_split,
    "disk": DiskSplit,
}
"""Ways to read a stored split, given a prepared builder and the split's
name."""

STORED, FRESH = "stored", "fresh"
TRAIN_SEQUENCES = (STORED, FRESH)
"""What to train on: the sequences of `train`, or new sequences of the same
digits."""


def load_splits(
    builder: tfds.core.DatasetBuilder,
    *,
    input_name: str,
    train_sequences: str,
    manual_dir: str | None,
) -> Splits:
    """Opens the splits of a run.

    Args:
      builder: A prepared builder of `seqdigits`.
      input_name: One of `INPUTS`.
      train_sequences: One of `TRAIN_SEQUENCES`.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.
        Only used for fresh sequences of MNIST's digits.

    Raises:
      InputError: If the digits for fresh sequences can't be loaded.
    """
    load = INPUTS[input_name]
    train: TrainSplit
    if train_sequences == FRESH:
        train = make_fresh_split(builder, manual_dir)
    else:
        train = load(builder, "train")
    return {
        "train": train,
        "validation": load(builder, "validation"),
        "test": load(builder, "test"),
    }


def read_images(split: Split, rows: np.ndarray) -> np.ndarray:
    """Reads the images of a few examples.

    Args:
      split: The split.
      rows: int64 [n], ascending indices into the order of `in_order`.

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
