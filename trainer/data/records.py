"""Random access to the records of a prepared TFDS dataset.

A dataset is verified as a whole when it is used for the first time. The result
is kept in a cache folder: a digest, and for TFRecords the offset of each
record. As long as no file changes, later runs only look at the files' sizes and
times, so they start equally fast for any size of dataset.
"""

import contextlib
import hashlib
import json
import mmap
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import platformdirs
import tensorflow as tf
import tensorflow_datasets as tfds

from seqdigits_tfds import InputError
from seqdigits_tfds.terminal import Progress

_HEADER, _FOOTER = 12, 4
"""Bytes of a TFRecord before and after the data: the length of the data (8) and
its checksum; the checksum of the data."""

_DIGEST_WORDS = 4
"""Words of 64 bits at the start of a cached index: the digest."""


Rows = Sequence[int] | np.ndarray
"""Row numbers, integers [n]."""


class Records(Protocol):
    """The records of a split, in its order on disk."""

    def __len__(self) -> int: ...

    def __getitems__(self, rows: Rows) -> Sequence[bytes]: ...


def open_records(builder: tfds.core.DatasetBuilder, split: str) -> Records:
    """Opens a split for random access; verifies a dataset that is new here.

    Args:
      builder: A prepared builder, with TFRecords or ArrayRecords.
      split: Name or part of a split, such as "train" or "train[:80%]".

    Raises:
      InputError: If the dataset is not prepared, a file is missing or damaged,
        the split does not exist or is empty, or the dataset has another file
        format.
    """
    if not builder.info.splits:
        raise InputError(
            f"{builder.info.full_name} must be prepared in"
            f" {builder.data_path}; call its download_and_prepare(), or choose"
            " another data_dir"
        )
    index = _load_index(builder)
    try:
        parts = builder.info.splits[split].file_instructions
    except (KeyError, ValueError) as error:
        raise InputError(
            f"split must be one of {', '.join(builder.info.splits)} of"
            f" {builder.info.full_name} or a part of one, got {split!r}"
        ) from error
    if not parts:
        raise InputError(
            f"split must have examples, but {split!r} of"
            f" {builder.info.full_name} has none"
        )
    if _is_array_record(builder):
        return _open_array_records(parts)
    return _TFRecords(parts, _list_shards(builder), index[_DIGEST_WORDS:])


def verify_records(builder: tfds.core.DatasetBuilder) -> str:
    """Verifies that all records of a dataset are present and undamaged.

    Args:
      builder: A prepared builder, with TFRecords or ArrayRecords.

    Returns:
      SHA-256 of the records of all splits, as hexadecimal digits. For
      TFRecords, it does not depend on the number of shards.

    Raises:
      InputError: If a file is missing or damaged, or the dataset has another
        file format.
    """
    return _load_index(builder)[:_DIGEST_WORDS].tobytes().hex()


class _TFRecords:
    """Reads records at their offsets, from mapped files.

    Args:
      parts: The parts of files that the split consists of.
      shards: The number of records of each file of the dataset, by path.
      offsets: int64; for each file of `shards`, the offset of each record and
        the file's size.
    """

    def __init__(
        self,
        parts: Sequence[tfds.core.utils.shard_utils.FileInstruction],
        shards: dict[str, int],
        offsets: np.ndarray,
    ) -> None:
        # A file has one more offset than records.
        firsts = np.cumsum([0, *shards.values()]) + np.arange(len(shards) + 1)
        first_of = dict(zip(shards, firsts.tolist(), strict=False))
        self._paths = [os.fspath(part.filename) for part in parts]
        self._files = [_map_file(path) for path in self._paths]
        self._stops = np.cumsum([part.take for part in parts])
        # The index of a record's offset, minus its row.
        self._shifts = np.array(
            [
                first_of[path] + part.skip + part.take
                for path, part in zip(self._paths, parts, strict=True)
            ]
        )
        self._shifts -= self._stops
        self._lengths = [part.examples_in_shard for part in parts]
        self._offsets = offsets

    def __len__(self) -> int:
        return int(self._stops[-1])

    def __getitems__(self, rows: Rows) -> list[bytes]:
        parts = np.searchsorted(self._stops, rows, side="right")
        entries = np.add(rows, self._shifts[parts])
        records = []
        for part, start, stop in zip(
            parts.tolist(),
            self._offsets[entries].tolist(),
            self._offsets[entries + 1].tolist(),
            strict=True,
        ):
            record = self._files[part][start:stop]
            length = stop - start - _HEADER - _FOOTER
            # Never returns other bytes than a record's.
            if record[:8] != length.to_bytes(8, "little", signed=True):
                raise _make_error(
                    self._paths[part],
                    "changed while in use",
                    self._lengths[part],
                )
            records.append(record[_HEADER:-_FOOTER])
        return records


@contextlib.contextmanager
def explain_read_errors() -> Iterator[None]:
    """Raises an `InputError` again that TensorFlow has wrapped in its own."""
    try:
        yield
    except tf.errors.OpError as error:
        wrapped = re.search(rf"{InputError.__name__}: (.*)", error.message)
        if wrapped is None:
            raise
        raise InputError(wrapped[1]) from error


def _load_index(builder: tfds.core.DatasetBuilder) -> np.ndarray:
    """Returns the digest and, for TFRecords, all offsets; int64."""
    shards = _list_shards(builder)
    stats = []
    for path, length in shards.items():
        try:
            stat = os.stat(path)
        except OSError as error:
            raise _make_error(path, "missing", length) from error
        stats.append((path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    folder = platformdirs.user_cache_path("seqdigits")
    dataset = _hash(os.fspath(builder.data_path))
    cached = folder / f"{dataset}-{_hash([stats, list(shards.values())])}.npy"
    length = _DIGEST_WORDS
    if not _is_array_record(builder):
        length += sum(shards.values()) + len(shards)
    with contextlib.suppress(OSError, ValueError, EOFError):
        index = np.load(cached, mmap_mode="r")
        if index.shape == (length,) and index.dtype == np.int64:
            return index
    index = _make_index(builder, shards)
    # Without a writable cache folder, the next run verifies again.
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{dataset}-*.npy"):
            old.unlink()
        with tempfile.TemporaryDirectory(dir=folder) as partial:
            np.save(f"{partial}/index.npy", index)
            os.replace(f"{partial}/index.npy", cached)
    return index


def _make_index(
    builder: tfds.core.DatasetBuilder, shards: dict[str, int]
) -> np.ndarray:
    scan = _scan_array_records if _is_array_record(builder) else _scan_tfrecords
    digest = hashlib.sha256()
    offsets = []
    name = f"Verifying {builder.info.full_name}"
    with Progress(sum(shards.values()), name, "records") as progress:
        for path, expected in shards.items():
            try:
                found, shard_offsets = scan(path)
            except (
                OSError,
                RuntimeError,
                ValueError,
                tf.errors.OpError,
            ) as error:
                raise _make_error(path, "damaged", expected) from error
            if found != expected:
                raise _make_error(path, "truncated", expected, found)
            digest.update(_map_file(path))
            offsets.append(shard_offsets)
            progress.advance(found)
    return np.concatenate([np.frombuffer(digest.digest(), np.int64), *offsets])


def _scan_tfrecords(path: str) -> tuple[int, np.ndarray]:
    """Reads a whole file, and returns the number and offsets of its records."""
    # Compares all checksums.
    records = tf.data.TFRecordDataset(path).batch(1000)
    lengths = [batch.numpy() for batch in records.map(tf.strings.length)]
    sizes = np.concatenate([[0], *lengths]).astype(np.int64)
    sizes[1:] += _HEADER + _FOOTER
    return len(sizes) - 1, np.cumsum(sizes)


def _scan_array_records(path: str) -> tuple[int, np.ndarray]:
    """Reads a whole file, and returns the number of its records."""
    records = _open_array_records([path])
    for start in range(0, len(records), 1000):
        records.__getitems__(range(start, min(start + 1000, len(records))))
    return len(records), np.empty(0, np.int64)


def _open_array_records(paths: Sequence[Any]) -> Records:
    # TFDS depends on this package on Linux only.
    from array_record.python import array_record_data_source

    return array_record_data_source.ArrayRecordDataSource(paths)


def _list_shards(builder: tfds.core.DatasetBuilder) -> dict[str, int]:
    """Returns the number of records of each file of the dataset, by path."""
    return {
        os.fspath(path): length
        for _, split in sorted(builder.info.splits.items())
        for path, length in zip(
            split.filepaths, split.shard_lengths, strict=True
        )
    }


def _is_array_record(builder: tfds.core.DatasetBuilder) -> bool:
    file_format = builder.info.file_format.value
    if file_format not in ("tfrecord", "array_record"):
        raise InputError(
            f"{builder.data_path} must contain TFRecords or ArrayRecords, got"
            f" {file_format}; prepare the dataset in another data_dir"
        )
    return file_format == "array_record"


def _map_file(path: str) -> mmap.mmap:
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _make_error(
    path: str, problem: str, expected: int, found: int | None = None
) -> InputError:
    counted = "" if found is None else f", found {found}"
    folder = os.path.dirname(path)
    return InputError(
        f"shard {path} is {problem}: expected {expected} examples{counted};"
        f" delete {folder} and start again to rebuild it"
    )


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
