"""Writes the same bytes for the same examples."""

from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow_datasets.core import writer
from tensorflow_datasets.proto import tf_example_pb2


class DeterministicExampleWriter(writer.ExampleWriter):
    """Writes each example's features in the order of their names.

    TFDS serialises them as protobuf's hash map happens to hold them, which
    differs from process to process: equal examples, other bytes.
    """

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> Any:
        """Writes records to one shard, as in TFDS.

        Args:
          path: File to write.
          examples: Pairs of a key and a serialised `tf.train.Example`.

        Returns:
          What the file format's own writer returns.
        """
        return super().write(path, _sort_features(examples))


def _sort_features(
    examples: Iterable[tuple[Any, bytes]],
) -> Iterator[tuple[Any, bytes]]:
    for key, record in examples:
        example = tf_example_pb2.Example.FromString(record)
        yield key, example.SerializeToString(deterministic=True)
