"""Writes shards of records, and digests the content of examples."""

import dataclasses
import hashlib
import math
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from seqdigits_tfds import png

Examples = Mapping[str, np.ndarray]
"""The values of n examples: an array [n, ...] for each feature, by name."""

MakeExamples = Callable[[str, np.ndarray], Examples]
"""Makes the examples of a split with the given indices, int64 [n]."""

DIGEST_BYTES = 32

_BLOCK_EXAMPLES, _BLOCK_BYTES = 250, 2**24
"""Most examples, and most bytes of them, that are handled together."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard to be written.

    Attributes:
      split: Name of the split.
      start: Index of the first example.
      stop: Index after the last one.
      path: Path of the file.
    """

    split: str
    start: int
    stop: int
    path: str


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
      num_examples: Number of examples.
      num_bytes: Number of bytes of their records.
      digest: Sum of their digests; see `digest_examples`.
    """

    num_examples: int
    num_bytes: int
    digest: int


def choose_block(features: tfds.features.FeaturesDict) -> int:
    """Returns how many examples to handle together: 1 to 250."""
    num_bytes = sum(
        math.prod(info.shape) * np.dtype(info.np_dtype).itemsize
        for info in features.get_tensor_info().values()
    )
    return max(1, min(_BLOCK_EXAMPLES, _BLOCK_BYTES // num_bytes))


def write_shard(
    shard: Shard,
    make_examples: MakeExamples,
    features: tfds.features.FeaturesDict,
    file_format: str,
    advance: Callable[[int], object] = lambda _: None,
) -> Written:
    """Writes a shard, which appears under its name when it is complete.

    It may be written several times, also at once: the bytes are the same.

    Args:
      shard: The shard.
      make_examples: Makes its examples.
      features: Says how each feature is stored.
      file_format: One of TFDS's file formats.
      advance: Called with the number of examples just made.
    """
    counts: list[Written] = []

    def make_records() -> Iterator[tuple[int, bytes]]:
        block = choose_block(features)
        for start in range(shard.start, shard.stop, block):
            indices = np.arange(start, min(start + block, shard.stop))
            examples = make_examples(shard.split, indices)
            records = encode_examples(examples, features)
            counts.append(
                Written(
                    num_examples=len(records),
                    num_bytes=sum(map(len, records)),
                    digest=digest_examples(shard.split, indices, examples),
                )
            )
            yield from zip(indices.tolist(), records, strict=True)
            advance(len(records))

    path = tfds.core.Path(shard.path)
    partial = path.parent / f"incomplete.{uuid.uuid4().hex}.{path.name}"
    writer = tfds.core.ExampleWriter(
        tfds.core.FileFormat.from_value(file_format)
    )
    try:
        writer.write(os.fspath(partial), make_records())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return add_up(counts)


def add_up(parts: Sequence[Written]) -> Written:
    """Adds up what was written."""
    return Written(
        num_examples=sum(part.num_examples for part in parts),
        num_bytes=sum(part.num_bytes for part in parts),
        digest=sum(part.digest for part in parts) % 2 ** (8 * DIGEST_BYTES),
    )


def encode_examples(
    examples: Examples, features: tfds.features.FeaturesDict
) -> list[bytes]:
    """Encodes examples as TFDS does, but with plain PNGs and sorted keys."""
    # Refilling one message takes a sixth of the time of creating a message for
    # each example.
    message = tf_example_pb2.Example()
    fields: list[Any] = []
    columns: list[list[Any]] = []
    for name, values in examples.items():
        field = message.features.feature[name]
        encode = _find_encoder(features[name])
        if encode is not None:
            fields.append(field.bytes_list.value)
            columns.append([[encode(value)] for value in values])
            continue
        is_float = values.dtype.kind == "f"
        numbers = field.float_list if is_float else field.int64_list
        fields.append(numbers.value)
        columns.append(values.reshape(len(values), -1).tolist())
    records = []
    for row in zip(*columns, strict=True):
        for field, value in zip(fields, row, strict=True):
            field[:] = value
        # Otherwise features are written in the order of protobuf's hash map,
        # which differs between processes.
        records.append(message.SerializeToString(deterministic=True))
    return records


def _find_encoder(
    feature: tfds.features.FeatureConnector,
) -> Callable[[np.ndarray], bytes] | None:
    """Returns what makes bytes of a value; None if it is stored as numbers."""
    if isinstance(feature, tfds.features.Image) and feature.shape[-1] == 1:
        return png.encode_png
    info = feature.get_serialized_info()
    is_text = isinstance(info, tfds.features.TensorInfo) and info.np_dtype in (
        np.object_,
        np.str_,
        np.bytes_,
    )
    return feature.encode_example if is_text else None


def digest_examples(split: str, indices: np.ndarray, examples: Examples) -> int:
    """Digests the content of some examples.

    The digest of an example is the SHA-256 of "split/index/features:", followed
    by the values of its features in the order of their names, as little-endian
    arrays. Digests are little-endian numbers. That of many examples is the sum
    modulo 2**256, so parts can be digested in any order, and on any machine. It
    does not depend on file formats, on compression, or on the shards.

    Args:
      split: Name of the split.
      indices: int64 [n].
      examples: The n examples.

    Returns:
      The digest, 0..2**256 - 1.
    """
    names = sorted(examples)
    rows = np.concatenate(
        [_view_bytes(examples[name]) for name in names], axis=1
    )
    total = 0
    for index, row in zip(indices.tolist(), rows, strict=True):
        digest = hashlib.sha256(f"{split}/{index}/{','.join(names)}:".encode())
        digest.update(row)
        total += int.from_bytes(digest.digest(), "little")
    return total % 2 ** (8 * DIGEST_BYTES)


def to_hex(digest: int) -> str:
    """Writes a digest as 64 hexadecimal digits."""
    return digest.to_bytes(DIGEST_BYTES, "little").hex()


def _view_bytes(values: np.ndarray) -> np.ndarray:
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return little.reshape(len(values), -1).view(np.uint8)
