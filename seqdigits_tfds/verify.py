"""Makes every example of prepared datasets again, and compares.

  python -m seqdigits_tfds.verify ~/tensorflow_datasets/seqdigits/mnist/2.0.0

The arguments are folders of prepared datasets. Prints the digest of each
(see `records.digest_examples`), or the first difference.
"""

import collections
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from absl import app, flags

from seqdigits_tfds.configs import restore_config
from seqdigits_tfds.errors import InputError
from seqdigits_tfds.reading import (
    ADVICE,
    list_shards,
    make_error,
    read_info,
    read_records,
    start_program,
)
from seqdigits_tfds.records import (
    MakeExamples,
    Shard,
    Written,
    add_up,
    digest_examples,
    to_hex,
)
from seqdigits_tfds.sequences import make_splits
from seqdigits_tfds.sources import load_glyphs
from seqdigits_tfds.terminal import Progress


def main(argv: Sequence[str]) -> None:
    """Verifies datasets, and prints the digest of each."""
    for folder in start_program(argv):
        digest = verify_dataset(folder, flags.FLAGS.manual_dir)
        print(f"{folder}: {digest}")


def verify_dataset(
    folder: str | os.PathLike, manual_dir: str | None = None
) -> str:
    """Compares all examples of a prepared dataset with what they must be.

    Args:
      folder: The folder of a prepared dataset of `seqdigits`.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.
        They are downloaded if the directory does not have them.

    Returns:
      The digest of its examples; see `records.digest_examples`.

    Raises:
      InputError: If a file is missing or damaged, or an example differs.
    """
    # Imported here, because `seqdigits_tfds.decoding` imports TensorFlow.
    from seqdigits_tfds.decoding import choose_features, decode_records

    path = tfds.core.Path(folder).expanduser()
    info = read_info(path)
    config = restore_config(info)
    # The folders above are the config, the dataset and the data directory. A
    # copy may be anywhere.
    folders = path.resolve().parents
    data_dir = folders[min(2, len(folders) - 1)]
    source = load_glyphs(config, data_dir, manual_dir)
    names = info.features["label"].feature.names
    if list(names) != list(source.class_names):
        raise InputError(
            f"{path} must have the classes {list(source.class_names)}, found"
            f" {names}; {ADVICE}"
        )
    shards = list_shards(info, config.splits)
    compare = functools.partial(
        _compare,
        make_examples=make_splits(config, source),
        decode=functools.partial(
            decode_records, features=choose_features(info)
        ),
    )
    num_threads = os.cpu_count() or 1
    num_examples = sum(shard.stop - shard.start for shard in shards)
    parts: list[Written] = []
    pending: collections.deque[futures.Future[Written]] = collections.deque()
    with (
        Progress(num_examples, f"Verifying {path}", "examples") as progress,
        futures.ThreadPoolExecutor(num_threads) as executor,
    ):

        def finish(most_left: int) -> None:
            while len(pending) > most_left:
                parts.append(pending.popleft().result())
                progress.advance(parts[-1].num_examples)

        try:
            for shard in shards:
                for start, records in read_records(shard, info):
                    pending.append(
                        executor.submit(compare, shard, start, records)
                    )
                    finish(most_left=2 * num_threads)
            finish(most_left=0)
        finally:
            executor.shutdown(cancel_futures=True)
    digest = to_hex(add_up(parts).digest)
    if digest != info.metadata["digest"]:
        raise InputError(
            f"{path / 'metadata.json'} must have the digest {digest}, found"
            f" {info.metadata['digest']}; {ADVICE}"
        )
    return digest


def _compare(
    shard: Shard,
    start: int,
    records: Any,
    *,
    make_examples: MakeExamples,
    decode: Callable[[Any], Mapping[str, Any]],
) -> Written:
    """Compares the examples of a shard from an index on."""
    import tensorflow as tf

    indices = np.arange(start, start + len(records))
    try:
        found = {
            name: values.numpy() for name, values in decode(records).items()
        }
    except tf.errors.OpError as error:
        raise make_error(
            shard,
            f"has a record that is no example of its dataset, between {start}"
            f" and {indices[-1]}",
        ) from error
    wanted = make_examples(shard.split, indices)
    shapes, wanted_shapes = (
        {name: values.shape[1:] for name, values in examples.items()}
        for examples in (found, wanted)
    )
    if shapes != wanted_shapes:
        raise make_error(
            shard, f"must have features {wanted_shapes}, found {shapes}"
        )
    # The first example that differs, and its first feature.
    differences = [
        (int(places[0, 0]), number, name, places[0])
        for number, name in enumerate(wanted)
        if len(places := np.argwhere(found[name] != wanted[name]))
    ]
    if differences:
        example, _, name, place = min(differences, key=lambda item: item[:2])
        raise make_error(
            shard,
            f"differs in example {start + example} of {shard.split}:"
            f" {name}{place[1:].tolist() or ''} must be"
            f" {wanted[name][tuple(place)]}, found {found[name][tuple(place)]}",
        )
    return Written(
        num_examples=len(indices),
        num_bytes=0,
        digest=digest_examples(shard.split, indices, wanted),
    )


if __name__ == "__main__":
    # Not on import: programs that use `verify_dataset` have flags of their own.
    flags.DEFINE_string(
        "manual_dir", None, "Directory with MNIST's four files."
    )
    app.run(main)
