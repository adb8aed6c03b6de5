"""Writes a split as record files in TFDS's order, using all cores.

TFDS's own writer buffers all records of a split, in memory or on disk, to sort
them. Here the order is computed first. Since each example can be made
independently, examples are made in that order, a few blocks ahead of the file
being written.
"""

import collections
import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import utils
from tensorflow_datasets.core.utils import shard_utils
from tensorflow_datasets.proto import tf_example_pb2

_BLOCK = 250
"""Examples per unit of work: about 5 MB."""

Examples = Mapping[str, np.ndarray | list[bytes]]
"""The values of n examples, by feature: int64 [n, ...] or n byte strings."""

MakeExamples = Callable[[np.ndarray], Examples]
"""Makes the examples of the given indices, int64 [n]."""


def order_examples(split: str, num_examples: int) -> np.ndarray:
    """Computes the order in which TFDS writes a split's examples.

    Args:
      split: Name of the split.
      num_examples: Number of its examples.

    Returns:
      int64 [num_examples], indices sorted by the MD5 of split and index.
    """
    salt = hashlib.md5(split.encode())

    def digest(index: int) -> bytes:
        md5 = salt.copy()
        md5.update(b"%d" % index)
        return md5.digest()

    digests = np.frombuffer(b"".join(map(digest, range(num_examples))), ">u8")
    return np.lexsort((digests[1::2], digests[::2]))


def write_split(
    split: str,
    num_examples: int,
    make_examples: MakeExamples,
    *,
    num_shards: int,
    template: tfds.core.ShardedFileTemplate,
    writer: tfds.core.ExampleWriter,
) -> tfds.core.SplitInfo:
    """Writes a split, with a progress bar.

    Args:
      split: Name of the split.
      num_examples: Number of its examples.
      make_examples: Makes the examples of some indices; called from several
        threads.
      num_shards: Number of files, at most `num_examples`.
      template: Template of the file names.
      writer: Writes a file, given its records.

    Returns:
      The split's entry in TFDS's metadata.
    """
    records = iter(
        utils.tqdm(
            _make_records(order_examples(split, num_examples), make_examples),
            total=num_examples,
            desc=f"Generating {split} examples...",
            unit=" examples",
            leave=False,
            mininterval=1.0,
        )
    )
    stops = shard_utils.get_shard_boundaries(num_examples, num_shards)
    shard_lengths = np.diff([0, *stops]).tolist()
    sizes: list[int] = []
    for shard, length in enumerate(shard_lengths):
        writer.write(
            template.sharded_filepath(shard_index=shard, num_shards=num_shards),
            _count_bytes(itertools.islice(records, length), sizes),
        )
    return tfds.core.SplitInfo(
        name=split,
        shard_lengths=shard_lengths,
        num_bytes=sum(sizes),
        filename_template=template,
    )


def _make_records(
    order: np.ndarray, make_examples: MakeExamples
) -> Iterator[bytes]:
    def make_block(start: int) -> list[bytes]:
        return _serialize(make_examples(order[start : start + _BLOCK]))

    num_threads = os.cpu_count() or 1
    with futures.ThreadPoolExecutor(num_threads) as executor:
        pending: collections.deque[futures.Future[list[bytes]]]
        pending = collections.deque()
        for start in range(0, len(order), _BLOCK):
            pending.append(executor.submit(make_block, start))
            if len(pending) > 2 * num_threads:
                yield from pending.popleft().result()
        for block in pending:
            yield from block.result()


def _serialize(examples: Examples) -> list[bytes]:
    # Refilling one message takes a sixth of the time of creating a message for
    # each example.
    message = tf_example_pb2.Example()
    fields: list[Any] = []
    columns: list[list[list[Any]]] = []
    for name, values in examples.items():
        feature = message.features.feature[name]
        if isinstance(values, list):
            fields.append(feature.bytes_list.value)
            columns.append([[value] for value in values])
        else:
            fields.append(feature.int64_list.value)
            columns.append(values.reshape(len(values), -1).tolist())
    records = []
    for row in zip(*columns, strict=True):
        for field, value in zip(fields, row, strict=True):
            field[:] = value
        # Otherwise features are written in the order of protobuf's hash map,
        # which differs between processes.
        records.append(message.SerializeToString(deterministic=True))
    return records


def _count_bytes(
    records: Iterable[bytes], sizes: list[int]
) -> Iterator[tuple[None, bytes]]:
    for record in records:
        sizes.append(len(record))
        yield None, record
