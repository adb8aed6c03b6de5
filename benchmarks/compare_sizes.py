"""Measures whether memory and time depend on the size of a split."""

import functools
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.loaders.split_files import SplitFiles
from benchmarks.loaders.tf_data import SeqDigitsDisk
from benchmarks.measuring import MEBIBYTE, Comparison, measure_in_turn
from benchmarks.remote import RemoteObject
from benchmarks.tfds_build import run_tfds_build

_LARGE = {"name": "mnist_10x", "num_train": 600_000}
_BATCH_SIZE = 128


def compare_sizes(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares a training split with one that is ten times as large.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Directory for temporary data.
      rounds: Number of measurements of each candidate. Peak memory is measured
        once, since it hardly varies.

    Yields:
      Each comparison, as soon as it is complete.
    """
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
            loader.call("open")  # Verifies the dataset.
        with RemoteObject(SeqDigitsDisk, files) as loader:
            loader.call("measure_cold", 256)
            for kind, size in (
                ("peak", loader.peak_memory()),
                ("at the end, without mapped files", loader.anonymous_memory()),
            ):
                memory[f"an epoch with --input=disk, {label}, {kind}"] = [
                    size / MEBIBYTE
                ]
    with RemoteObject(Rows) as rows:
        measurements = measure_in_turn(
            {
                f"{num_rows:,} rows": functools.partial(
                    rows.call, "measure", num_rows
                )
                for num_rows in (60_000, 10**9)
            },
            rounds,
            "rows",
        )
        memory["rows of 1,000,000,000"] = [rows.peak_memory() / MEBIBYTE]
    yield Comparison(
        "sizes_memory",
        "Peak resident memory by size of the training split",
        "MiB",
        memory,
        next(iter(memory)),
    )
    yield Comparison(
        "sizes_rows",
        "Rows to train on, batch 128",
        "million/s",
        measurements,
        next(iter(measurements)),
    )
    with RemoteObject(Starts, files) as starts:
        starts.call("measure", 0)  # A warm-up.
        seconds = measure_in_turn(
            {
                f"at step {step:,}": functools.partial(
                    starts.call, "measure", step
                )
                for step in (0, 1_000, 1_000_000)
            },
            rounds,
            "starts",
        )
    yield Comparison(
        "sizes_starts",
        "Opening 600,000 examples on disk, until the first batch of 128",
        "s",
        seconds,
        next(iter(seconds)),
    )


class Rows:
    """Finds the rows to train on, without reading examples."""

    def measure(self, num_rows: int) -> float:
        """Returns the million rows per second of a split of any size."""
        import tensorflow as tf

        from trainer.data import Split, make_train_dataset

        class RowSplit(Split):
            def __len__(self) -> int:
                return num_rows

            def read(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
                return {"row": rows}

        batches = iter(make_train_dataset(RowSplit(), _BATCH_SIZE, seed=0))
        for _ in range(100):
            next(batches)
        start, num_batches = time.perf_counter(), 5_000
        for _ in range(num_batches):
            next(batches)
        seconds = time.perf_counter() - start
        return num_batches * _BATCH_SIZE / seconds / 1e6


class Starts:
    """Starts to read a verified dataset from disk.

    Args:
      files: The split to read.
    """

    def __init__(self, files: SplitFiles) -> None:
        self._files = files

    def measure(self, start_step: int) -> float:
        """Returns the seconds until the first batch."""
        from trainer.data import make_train_dataset, open_split

        builder: Any = self._files.make_builder()
        start = time.perf_counter()
        split = open_split(builder, "train", from_disk=True)
        next(iter(make_train_dataset(split, _BATCH_SIZE, 0, start_step)))
        return time.perf_counter() - start
