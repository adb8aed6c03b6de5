"""Which splits a run reads, and how: from memory, disk, or composed anew."""

from collections.abc import Callable, Mapping
from typing import TypedDict

import tensorflow_datasets as tfds

from trainer.recomposition import make_recomposed_split
from trainer.splits import RecordSplit, Split, TrainSplit, load_split


class Splits(TypedDict):
    """The splits of a run."""

    train: TrainSplit
    validation: Split
    test: Split


INPUTS: Mapping[str, Callable[[tfds.core.DatasetBuilder, str], Split]] = {
    "memory": load_split,
    "records": RecordSplit,
}
"""Ways to stream a split, given a prepared builder and the split's name."""

RECORDS = "records"
RECOMPOSED = "recomposed"
TRAIN_SOURCES = (RECORDS, RECOMPOSED)
"""What to train on: the split's own sequences, or fresh ones of its digits."""


def load_splits(
    builder: tfds.core.DatasetBuilder,
    *,
    input_name: str,
    train_source: str,
    manual_dir: str | None,
) -> Splits:
    """Makes the splits of a run.

    Args:
      builder: A prepared builder of `seqdigits`.
      input_name: One of `INPUTS`.
      train_source: One of `TRAIN_SOURCES`.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.
        Needed for fresh sequences of MNIST's digits.

    Raises:
      InputError: If the digits can't be had.
    """
    load = INPUTS[input_name]
    if train_source == RECOMPOSED:
        train: TrainSplit = make_recomposed_split(builder, manual_dir)
    else:
        train = load(builder, "train")
    return {
        "train": train,
        "validation": load(builder, "validation"),
        "test": load(builder, "test"),
    }
