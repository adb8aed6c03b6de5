"""Loaders that only do the essential work: upper bounds for the speed."""

import os
import time

import numpy as np

from benchmarks.loaders.loader import Batches, Loader, count_images

_PNGS_PER_CALL = 8


class BareNumPy(Loader):
    """Indexes arrays in memory with shuffled row numbers."""

    def open(self) -> None:
        """Reads the arrays."""
        self._images, self._labels = self._files.load_arrays()
        self._rng = np.random.default_rng(0)

    def epoch(self, batch_size: int) -> Batches:
        """Permutes all rows, and selects one batch after the other."""
        rows = self._rng.permutation(len(self._labels))
        for start in range(0, len(rows) - batch_size + 1, batch_size):
            batch = rows[start : start + batch_size]
            yield self._images[batch], self._labels[batch]


class InOrder(Loader):
    """Reads and decodes records in their order, without shuffling."""

    def open(self) -> None:
        """Finds the files."""
        from seqdigits_tfds.decoding import choose_features

        builder = self._files.make_builder()
        self._paths = [
            str(path) for path in builder.info.splits["train"].filepaths
        ]
        self._features = choose_features(builder.info, ["image", "label"])

    def epoch(self, batch_size: int) -> Batches:
        """Reads all files, one after the other."""
        import tensorflow as tf

        from seqdigits_tfds.decoding import decode_records
        from trainer.data.splits import map_ahead

        def decode(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            examples = decode_records(records, self._features)
            return examples["image"], examples["label"]

        records = tf.data.TFRecordDataset(self._paths)
        return map_ahead(records.batch(batch_size, drop_remainder=True), decode)


class BarePngDecoding(Loader):
    """Decodes PNGs from memory with `tf.io.decode_png`, on all cores.

    Does not shuffle, and returns the PNGs in place of labels. The batch size
    must be a multiple of 8.
    """

    def open(self) -> None:
        """Reads the PNGs."""
        import tensorflow as tf

        self._shape = self._files.make_builder().info.features["image"].shape
        self._pngs = tf.constant(self._files.read_pngs())

    def epoch(self, batch_size: int) -> Batches:
        """Decodes the PNGs in order."""
        import tensorflow as tf

        def decode(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # An iteration of `map_fn` takes half as long as decoding a PNG:
            # decode several PNGs per iteration.
            pngs = self._pngs[start : start + batch_size]
            images = tf.map_fn(
                lambda group: tf.stack(
                    [
                        tf.io.decode_png(png)
                        for png in tf.unstack(group, _PNGS_PER_CALL)
                    ]
                ),
                tf.reshape(pngs, (-1, _PNGS_PER_CALL)),
                fn_output_signature=tf.uint8,
            )
            return tf.reshape(images, (batch_size, *self._shape)), pngs

        options = tf.data.Options()
        # Deleting the iterator would wait for the autotuning thread.
        options.autotune.enabled = False
        num_batches = len(self._pngs) // batch_size
        return (
            tf.data.Dataset.range(0, num_batches * batch_size, batch_size)
            .map(decode, num_parallel_calls=os.cpu_count())
            .prefetch(16)
            .with_options(options)
        )

    def measure_cold(self, batch_size: int) -> float:
        """Returns the images per second of decoding, without reading."""
        self.open()
        start = time.perf_counter()
        num_images = count_images(self.epoch(batch_size))
        return num_images / (time.perf_counter() - start)
