"""Opens the splits of a run: stored ones, or fresh training sequences."""

from typing import TypedDict

import tensorflow_datasets as tfds

from trainer.data.fresh import make_fresh_split
from trainer.data.splits import Split, open_split

FEATURES = ("image", "label")
"""The features of `seqdigits` that a run reads."""

MEMORY, DISK = "memory", "disk"
INPUTS = (MEMORY, DISK)
"""Where to read the splits from."""

STORED, FRESH = "stored", "fresh"
TRAIN_SEQUENCES = (STORED, FRESH)
"""What to train on: the sequences of `train`, or new sequences of the same
digits."""


class Splits(TypedDict):
    """The splits of a run."""

    train: Split
    validation: Split
    test: Split


def open_splits(
    builder: tfds.core.DatasetBuilder,
    *,
    from_disk: bool,
    train_sequences: str,
    seed: int,
    manual_dir: str | None,
) -> Splits:
    """Opens the splits of a run.

    Args:
      builder: A prepared builder of `seqdigits`.
      from_disk: Whether to read records in each epoch, instead of keeping the
        splits in memory.
      train_sequences: One of `TRAIN_SEQUENCES`.
      seed: Determines fresh sequences.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.
        Only used for fresh sequences of MNIST's digits.

    Raises:
      InputError: If the digits for fresh sequences can't be loaded.
    """
    train: Split
    if train_sequences == FRESH:
        train = make_fresh_split(builder, seed, manual_dir)
    else:
        train = open_split(builder, "train", FEATURES, from_disk=from_disk)
    return {
        "train": train,
        "validation": open_split(
            builder, "validation", FEATURES, from_disk=from_disk
        ),
        "test": open_split(builder, "test", FEATURES, from_disk=from_disk),
    }
