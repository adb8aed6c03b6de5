"""Compares the speed of `Sequences` by layout, on all cores."""

import functools
import os
import pathlib
import time
from collections.abc import Iterator
from concurrent import futures

import numpy as np

from benchmarks.measuring import Comparison, measure_in_turn
from seqdigits_tfds import SeqDigitsConfig, Sequences
from seqdigits_tfds.builder_config import SCATTERED

_BATCH_SIZE = 256
_NUM_BATCHES = 80
"""Per measurement, over all processes."""

_TILED = "tiled, 64x128"
_CONFIGS = {
    "mnist: tiled, 64x64": SeqDigitsConfig(name="mnist"),
    _TILED: SeqDigitsConfig(name="tiled", image_width=128),
    "scattered, 64x128": SeqDigitsConfig(
        name="scattered", image_width=128, layout=SCATTERED
    ),
}


def compare_sequences(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares batches of random examples: `mnist`, and both layouts.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Directory for temporary data; not used.
      rounds: Number of measurements of each candidate.

    Yields:
      Each comparison, as soon as it is complete.
    """
    with futures.ProcessPoolExecutor(os.cpu_count()) as executor:

        def measure(name: str) -> float:
            """Returns the examples made per second."""
            make = functools.partial(_make_batch, name, manual_dir)
            start = time.perf_counter()
            made = sum(executor.map(make, range(_NUM_BATCHES)))
            return made / (time.perf_counter() - start)

        for name in _CONFIGS:
            measure(name)  # Loads the glyphs in each process.
        rates = measure_in_turn(
            {name: functools.partial(measure, name) for name in _CONFIGS},
            rounds,
            "sequences",
        )
    yield Comparison(
        "sequences",
        f"`Sequences`, batches of {_BATCH_SIZE} examples in any order",
        "examples/s",
        rates,
        _TILED,
    )


@functools.cache
def _open(name: str, manual_dir: str) -> Sequences:
    return Sequences(_CONFIGS[name], "train", manual_dir=manual_dir)


def _make_batch(name: str, manual_dir: str, seed: int) -> int:
    sequences = _open(name, manual_dir)
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, len(sequences), _BATCH_SIZE)
    return len(sequences.make_examples(indices)["image"])
