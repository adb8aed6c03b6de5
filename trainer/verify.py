"""Verifies that all records of a prepared dataset are present and undamaged.

  python -m trainer.verify --dataset=seqdigits/mnist

A dataset is verified when it is used for the first time, and again when the
size or time of one of its files has changed. This program always reads all
files.
"""

from collections.abc import Sequence

from absl import app, flags, logging

from seqdigits_tfds import InputError
from trainer.terminal.startup import quiet_tensorflow

with quiet_tensorflow():
    import tensorflow_datasets as tfds

    from trainer.data.records import verify_records

_DATASET = flags.DEFINE_string(
    "dataset", None, "TFDS name of any prepared dataset.", required=True
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS data directory.")


def main(argv: Sequence[str]) -> None:
    """Verifies the dataset that the flags name, and prints its digest."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    logging.set_verbosity(logging.ERROR)
    try:
        builder = tfds.builder(_DATASET.value, data_dir=_DATA_DIR.value)
    except (AssertionError, ValueError, tfds.core.DatasetNotFoundError):
        builder = None
    if builder is None or not builder.info.splits:
        raise InputError(
            f"dataset must be prepared in {_DATA_DIR.value or 'the default'}"
            f" data_dir, got {_DATASET.value!r}, which is not; prepare it with"
            " `tfds build`, or choose another --data_dir"
        )
    digest = verify_records(builder, again=True)
    num_records = sum(s.num_examples for s in builder.info.splits.values())
    print(
        f"{builder.info.full_name}: {num_records:,} records, SHA-256 {digest}"
    )


if __name__ == "__main__":
    app.run(main)
