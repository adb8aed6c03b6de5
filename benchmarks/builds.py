"""Ways to make the dataset, from MNIST's files to files again."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from concurrent import futures
from typing import Any

import numpy as np

from benchmarks import plain_seqdigits
from benchmarks.measuring import KIBIBYTE
from seqdigits_tfds import composition, rendering
from seqdigits_tfds.png import encode_png

_ROOT = pathlib.Path(__file__).parent.parent
_BLOCK = 250


def run_tfds_build(
    data_dir: str, dataset: str, module: str, manual_dir: str, *more: str
) -> tuple[float, int]:
    """Runs `tfds build` in a new process.

    Args:
      data_dir: Where to write.
      dataset: TFDS name.
      module: What registers it.
      manual_dir: Directory with MNIST's four files.
      *more: More arguments.

    Returns:
      Seconds of wall time, and the most resident memory, in bytes.

    Raises:
      RuntimeError: If it fails.
    """
    begin = time.perf_counter()
    command = [
        str(pathlib.Path(sys.executable).with_name("tfds")),
        *("build", dataset, f"--imports={module}"),
        *(f"--manual_dir={manual_dir}", f"--data_dir={data_dir}", *more),
    ]
    process = subprocess.Popen(
        command,
        # Where `benchmarks` is found, and the packages of this checkout.
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {process.returncode}"
        )
    return seconds, usage.ru_maxrss * KIBIBYTE


class Generation:
    """Ways to generate what `seqdigits/mnist` has, in one process.

    Args:
      manual_dir: Directory with MNIST's four files.
    """

    def __init__(self, manual_dir: str) -> None:
        import tensorflow as tf
        import tensorflow_datasets as tfds

        import seqdigits_tfds

        self._manual_dir = manual_dir
        self._make_builder = seqdigits_tfds.Builder
        self._make_writer = tf.io.TFRecordWriter
        self._download_config = tfds.download.DownloadConfig(
            manual_dir=manual_dir
        )
        tfds.disable_progress_bar()

    def measure(self, way: str) -> float:
        """Generates in one of the ways below, and returns its seconds."""
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            getattr(self, way)(folder)
            return time.perf_counter() - begin

    def ours(self, folder: str) -> None:
        """`download_and_prepare` of our builder."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._make_builder(
                config="mnist", data_dir=folder
            ).download_and_prepare(download_config=self._download_config)

    def floor(self, folder: str) -> None:
        """Composes, renders, encodes and writes; nothing around it."""
        source = plain_seqdigits.load_glyphs(self._manual_dir)
        cells = np.concatenate(
            [source.images, np.zeros_like(source.images[:1])]
        )

        def encode(glyph_ids: np.ndarray) -> list[bytes]:
            images = rendering.render_sequences(
                cells[glyph_ids], height=64, width=64
            )
            return [encode_png(image) for image in images]

        with futures.ThreadPoolExecutor(os.cpu_count()) as executor:
            for split, num_examples in plain_seqdigits.NUM_EXAMPLES.items():
                plan = composition.plan_examples(
                    0,
                    num_examples,
                    seed=101,
                    split=split,
                    pool=source.pools[split],
                    max_digits=5,
                )
                blocks = np.split(plan.glyph_ids, num_examples // _BLOCK)
                with self._make_writer(f"{folder}/{split}") as writer:
                    for pngs in executor.map(encode, blocks):
                        for png in pngs:
                            writer.write(png)

    def notebook(self, folder: str) -> None:
        """The notebook's loop: stitch, resize, one array, `np.savez`."""
        source = plain_seqdigits.load_glyphs(self._manual_dir)
        random = np.random.default_rng(0)
        arrays: dict[str, Any] = {}
        for split, num_examples in plain_seqdigits.NUM_EXAMPLES.items():
            images = np.empty((num_examples, 64, 64), np.uint8)
            labels = np.full((num_examples, 5), 10)
            for index in range(num_examples):
                rows = random.choice(source.pools[split], random.integers(1, 6))
                images[index] = plain_seqdigits.draw(source.images[rows])
                labels[index, : len(rows)] = source.labels[rows]
            arrays[f"{split}_images"] = images
            arrays[f"{split}_labels"] = labels
        np.savez(f"{folder}/sequences.npz", **arrays)
