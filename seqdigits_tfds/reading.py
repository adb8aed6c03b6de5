"""Reads the records of prepared datasets, shard by shard, and checks them."""

import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds
from absl import app, logging
from google.protobuf import json_format
from tensorflow_datasets.core import file_adapters

from seqdigits_tfds.errors import InputError
from seqdigits_tfds.records import Shard, choose_block
from seqdigits_tfds.terminal import quiet_tensorflow

ADVICE = "copy or build the dataset again"


def start_program(argv: Sequence[str]) -> Sequence[str]:
    """Starts a program whose arguments are folders, and returns these."""
    logging.set_verbosity(logging.ERROR)
    if len(argv) < 2:
        raise app.UsageError("the folder of a prepared dataset is missing")
    with quiet_tensorflow():
        return argv[1:]


def read_info(folder: str | os.PathLike) -> tfds.core.DatasetInfo:
    """Reads the metadata of a prepared dataset.

    Raises:
      InputError: If it is not the folder of one, or the metadata are damaged.
    """
    path = tfds.core.Path(folder).expanduser()
    if not (path / "dataset_info.json").exists():
        raise InputError(
            "the folder of a prepared dataset is wanted, such as"
            f" data_dir/seqdigits/mnist/2.0.0, got {os.fspath(folder)!r}"
        )
    try:
        info = tfds.builder_from_directory(path).info
        _ = info.metadata  # TFDS reads them when they are asked for.
        return info
    except (OSError, ValueError, json_format.ParseError) as error:
        raise InputError(
            f"the metadata in {os.fspath(path)} are damaged"
            f" ({' '.join(str(error).split())}); {ADVICE}"
        ) from error


def list_shards(
    info: tfds.core.DatasetInfo, splits: Collection[str]
) -> list[Shard]:
    """Returns the shards of all splits, whose files exist."""
    missing = [split for split in splits if split not in info.splits]
    if missing:
        raise InputError(
            f"{info.full_name} must have the splits {', '.join(splits)}, but"
            f" {', '.join(missing)} is missing; {ADVICE}"
        )
    shards = []
    for split in splits:
        start = 0
        for path, length in zip(
            info.splits[split].filepaths,
            info.splits[split].shard_lengths,
            strict=True,
        ):
            shard = Shard(split, start, start + length, os.fspath(path))
            if not path.exists():
                raise make_error(
                    shard, f"is missing: expected {length} records"
                )
            shards.append(shard)
            start += length
    return shards


def read_records(
    shard: Shard, info: tfds.core.DatasetInfo
) -> Iterator[tuple[int, Any]]:
    """Reads the records of a shard, and checks their number.

    Yields:
      The index of an example, and a string tensor of records from it on.
    """
    import tensorflow as tf

    start = shard.start
    try:
        for batch in _read_batches(
            shard.path, info.file_format, choose_block(info.features)
        ):
            yield start, batch
            start += len(batch)
    except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
        raise make_error(
            shard,
            f"can't be read from example {start} on ({type(error).__name__})",
        ) from error
    if start != shard.stop:
        raise make_error(
            shard,
            f"must have {shard.stop - shard.start} records, found"
            f" {start - shard.start}",
        )


def _read_batches(
    path: str, file_format: file_adapters.FileFormat, batch_size: int
) -> Iterator[Any]:
    import tensorflow as tf

    if file_format is file_adapters.FileFormat.ARRAY_RECORD:
        from array_record.python import array_record_data_source

        # `tf.data` can't read this format.
        source = array_record_data_source.ArrayRecordDataSource([path])
        for start in range(0, len(source), batch_size):
            rows = range(start, min(start + batch_size, len(source)))
            yield tf.constant(source.__getitems__(rows))
        return
    # Otherwise, deleting the iterator waits for the autotuning thread.
    options = tf.data.Options()
    options.autotune.enabled = False
    records = file_adapters.ADAPTER_FOR_FORMAT[file_format].make_tf_data(path)
    yield from records.batch(batch_size).with_options(options)


def make_error(shard: Shard, problem: str) -> InputError:
    """Returns an error that names a shard's file."""
    return InputError(f"shard {shard.path} {problem}; {ADVICE}")
