"""Verifies that all records of prepared datasets are present and undamaged.

  python -m trainer.verify ~/tensorflow_datasets/seqdigits/mnist/1.0.0

The arguments are folders of prepared TFDS datasets. A dataset is verified when
it is used for the first time, and again when the size or time of one of its
files has changed. This program always reads all files.
"""

from collections.abc import Sequence

from absl import app, logging

from seqdigits_tfds import InputError
from trainer.terminal.startup import quiet_tensorflow

with quiet_tensorflow():
    import tensorflow_datasets as tfds

    from trainer.data.records import verify_records


def main(argv: Sequence[str]) -> None:
    """Verifies datasets, and prints the digest of each."""
    logging.set_verbosity(logging.ERROR)
    if len(argv) < 2:
        raise app.UsageError("the folder of a prepared dataset is missing")
    for folder in argv[1:]:
        if not (tfds.core.Path(folder) / "dataset_info.json").exists():
            raise InputError(
                "the argument must be the folder of a prepared dataset, such as"
                f" data_dir/seqdigits/mnist/1.0.0, got {folder!r}"
            )
        builder = tfds.builder_from_directory(folder)
        digest = verify_records(builder, again=True)
        sizes = [split.num_examples for split in builder.info.splits.values()]
        print(f"{folder}: {sum(sizes):,} records, SHA-256 {digest}")


if __name__ == "__main__":
    app.run(main)
