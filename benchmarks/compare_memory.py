"""Measures whether memory grows with the size of a split."""

import json
import pathlib
from collections.abc import Iterator

from benchmarks.loaders.split_files import SplitFiles
from benchmarks.loaders.tf_data import SeqDigitsDisk
from benchmarks.measuring import MEBIBYTE, Comparison
from benchmarks.remote import RemoteObject
from benchmarks.tfds_build import run_tfds_build

_LARGE = {"name": "mnist_10x", "num_train": 600_000}


def compare_memory(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares a training split with one that is ten times as large.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Directory for temporary data.
      rounds: Not used. One measurement is enough, since peak memory hardly
        varies.

    Yields:
      The comparison.
    """
    del rounds
    data_dir = str(folder / "sizes")
    memory = {}
    for label, name, config in (
        ("60,000 examples", "mnist", "mnist"),
        ("600,000 examples", _LARGE["name"], json.dumps(_LARGE)),
    ):
        _, peak_memory = run_tfds_build(
            "seqdigits",
            f"--config={config}",
            manual_dir=manual_dir,
            data_dir=data_dir,
        )
        memory[f"tfds build, {label}"] = [peak_memory / MEBIBYTE]
        files = SplitFiles(f"seqdigits/{name}", data_dir, folder)
        with RemoteObject(SeqDigitsDisk, files) as loader:
            loader.call("measure_cold", 256)
            peak_memory = loader.peak_memory()
        memory[f"an epoch with --input=disk, {label}"] = [
            peak_memory / MEBIBYTE
        ]
    yield Comparison(
        "memory",
        "Peak resident memory by size of the training split",
        "MiB",
        memory,
        next(iter(memory)),
    )
