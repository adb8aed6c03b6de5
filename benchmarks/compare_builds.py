"""Compares ways to build the dataset."""

import functools
import pathlib
import tempfile
from collections.abc import Iterator

from benchmarks.generation import Generation
from benchmarks.measuring import MEBIBYTE, Comparison, measure_in_turn
from benchmarks.remote import RemoteObject
from benchmarks.tfds_build import MNIST, run_tfds_build

_OURS = "seqdigits"


def compare_builds(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares `tfds build` of two builders, and generation without imports.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Directory for temporary data.
      rounds: Number of measurements of each candidate.

    Yields:
      Each comparison, as soon as it is complete.
    """
    memory: dict[str, list[float]] = {}

    def build(name: str, dataset: str, imports: str) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as data_dir:
            seconds, peak_memory = run_tfds_build(
                dataset,
                imports=imports,
                manual_dir=manual_dir,
                data_dir=data_dir,
            )
        memory.setdefault(name, []).append(peak_memory / MEBIBYTE)
        return seconds

    plain = "plain TFDS builder"
    builders = {
        plain: ("plain_seqdigits", "benchmarks.plain_seqdigits"),
        _OURS: (MNIST, "seqdigits_tfds"),
    }
    seconds = measure_in_turn(
        {
            name: functools.partial(build, name, *arguments)
            for name, arguments in builders.items()
        },
        rounds,
        "tfds build",
    )
    yield Comparison("build", "`tfds build`", "s", seconds, plain)
    yield Comparison(
        "build_memory",
        "`tfds build`: peak resident memory",
        "MiB",
        memory,
        plain,
    )
    bare = "bare: compose, render, encode, write"
    methods = {
        bare: "generate_bare",
        _OURS: "generate_with_builder",
        "the notebook's loop, to .npz": "generate_like_notebook",
    }
    with RemoteObject(Generation, manual_dir) as generation:
        seconds = measure_in_turn(
            {
                name: functools.partial(generation.call, "measure", method)
                for name, method in methods.items()
            },
            rounds,
            "generation",
        )
    yield Comparison(
        "generation",
        "Generation, in a process that has already started",
        "s",
        seconds,
        bare,
    )
