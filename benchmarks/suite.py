"""Runs benchmarks by name, prints their tables, and saves all measurements."""

import importlib.util
import json
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.compare_builds import compare_builds
from benchmarks.compare_loaders import (
    LIBRARIES,
    compare_loaders,
    compare_small_images,
)
from benchmarks.compare_sequences import compare_sequences
from benchmarks.compare_sizes import compare_sizes
from benchmarks.compare_steps import compare_steps
from benchmarks.plain_seqdigits import load_glyphs
from seqdigits_tfds import InputError

_LOADERS, _SMALL_IMAGES, MODELS = "loaders", "small_images", "models"


def _compare_models(
    manual_dir: str, folder: pathlib.Path, _rounds: int
) -> Iterator[Any]:
    """Trains each model once."""
    # Imports TensorFlow, which would spoil the measurements of the others.
    from benchmarks.compare_models import compare_models

    return compare_models(manual_dir, folder)


BENCHMARKS: Mapping[str, Callable[[str, pathlib.Path, int], Iterator[Any]]] = {
    "build": compare_builds,
    _LOADERS: compare_loaders,
    _SMALL_IMAGES: compare_small_images,
    MODELS: _compare_models,
    "sequences": compare_sequences,
    "sizes": compare_sizes,
    "step": compare_steps,
}
"""The benchmarks by name. Each takes the directory with MNIST's files, a
directory for temporary data, and the number of rounds. It yields each
comparison as soon as it is complete: a `measuring.Comparison`, or a
`compare_models.ModelComparison`."""


def run(
    names: Sequence[str], *, manual_dir: str, out: pathlib.Path, rounds: int
) -> None:
    """Runs benchmarks one after the other.

    Args:
      names: Names from `BENCHMARKS`.
      manual_dir: Directory with MNIST's four files.
      out: Directory for the results, one JSON file per comparison.
      rounds: Number of measurements of each candidate.

    Raises:
      InputError: If a benchmark does not exist, or MNIST's files or a library
        are missing.
    """
    # Checked first: the benchmarks take several minutes.
    for name in names:
        if name not in BENCHMARKS:
            raise InputError(
                f"benchmark must be one of {', '.join(BENCHMARKS)}, got"
                f" {name!r}"
            )
    load_glyphs(manual_dir)
    if {_LOADERS, _SMALL_IMAGES} & set(names):
        _check_installed(LIBRARIES)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            for comparison in BENCHMARKS[name](
                manual_dir, pathlib.Path(folder), rounds
            ):
                print(comparison.to_markdown(), end="\n\n", flush=True)
                (out / f"{comparison.name}.json").write_text(
                    json.dumps(comparison.to_json(), indent=2)
                )
                if name == MODELS:
                    comparison.draw(out / f"{comparison.name}.svg")


def _check_installed(libraries: Sequence[str]) -> None:
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise InputError(
                f"the benchmarks of loaders need {library}, which is not"
                ' installed; run `pip install ".[bench]"`'
            )
