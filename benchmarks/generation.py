"""Generates the examples of `seqdigits/mnist` in several ways."""

import contextlib
import io
import os
import tempfile
import time
from concurrent import futures
from typing import Any

import numpy as np

from benchmarks import plain_seqdigits
from seqdigits_tfds import composition, rendering
from seqdigits_tfds.png import encode_png

_BLOCK = 250
"""Number of images rendered in one call."""


class Generation:
    """Ways to generate the examples, measured without the time of imports.

    Args:
      manual_dir: Directory with MNIST's four files.
    """

    def __init__(self, manual_dir: str) -> None:
        # Imported here, so that the imports are not measured.
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

    def measure(self, method: str) -> float:
        """Returns the seconds that one of the methods below takes."""
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            getattr(self, method)(folder)
            return time.perf_counter() - start

    def generate_with_builder(self, folder: str) -> None:
        """Runs `download_and_prepare` of the seqdigits builder."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._make_builder(
                config="mnist", data_dir=folder
            ).download_and_prepare(download_config=self._download_config)

    def generate_bare(self, folder: str) -> None:
        """Only composes, renders, encodes and writes the images."""
        source = plain_seqdigits.load_glyphs(self._manual_dir)

        def encode(glyph_ids: np.ndarray) -> list[bytes]:
            images = rendering.render_sequences(
                source.images[glyph_ids],
                height=plain_seqdigits.IMAGE_SIZE,
                width=plain_seqdigits.IMAGE_SIZE,
            )
            return [encode_png(image) for image in images]

        with futures.ThreadPoolExecutor(os.cpu_count()) as executor:
            for split, num_examples in plain_seqdigits.NUM_EXAMPLES.items():
                rows = source.pools[split]
                plan = composition.plan_examples(
                    np.arange(num_examples),
                    seed=101,
                    split=split,
                    pool=composition.Pool(
                        rows, source.labels[rows], plain_seqdigits.NUM_CLASSES
                    ),
                    min_digits=1,
                    max_digits=plain_seqdigits.MAX_DIGITS,
                    num_positions=plain_seqdigits.MAX_DIGITS,
                )
                blocks = np.split(plan.glyph_ids, num_examples // _BLOCK)
                with self._make_writer(f"{folder}/{split}") as writer:
                    for pngs in executor.map(encode, blocks):
                        for png in pngs:
                            writer.write(png)

    def generate_like_notebook(self, folder: str) -> None:
        """Runs the notebook's loop: stitch, resize, store, then `np.savez`."""
        source = plain_seqdigits.load_glyphs(self._manual_dir)
        rng = np.random.default_rng(0)
        arrays: dict[str, Any] = {}
        size, max_digits = (
            plain_seqdigits.IMAGE_SIZE,
            plain_seqdigits.MAX_DIGITS,
        )
        for split, num_examples in plain_seqdigits.NUM_EXAMPLES.items():
            images = np.empty((num_examples, size, size), np.uint8)
            labels = np.full((num_examples, max_digits), plain_seqdigits.BLANK)
            for index in range(num_examples):
                length = rng.integers(1, max_digits + 1)
                rows = rng.choice(source.pools[split], length)
                images[index] = plain_seqdigits.draw(source.images[rows])
                labels[index, : len(rows)] = source.labels[rows]
            arrays[f"{split}_images"] = images
            arrays[f"{split}_labels"] = labels
        np.savez(f"{folder}/sequences.npz", **arrays)
