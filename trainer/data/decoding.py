"""Decodes keys and PNGs, a batch at a time."""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqdigits_tfds import png

_NUM_PREFETCHED = 16
"""Number of batches decoded in advance: 0.5 MB each at 128 images of uint8, and
4 MB each while a split is loaded."""


def decode_ahead(
    keys: tf.data.Dataset, decode: Callable[..., Any]
) -> tf.data.Dataset:
    """Decodes batches of keys on all cores, some of them in advance.

    Args:
      keys: Batches of keys.
      decode: Maps the tensors of a batch to the tensors of the result.
    """
    options = tf.data.Options()
    # `pipeline` divides the data among workers itself.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    # The autotuning thread sleeps, and deleting the iterator waits for it: for
    # a third of a second after loading, and for up to a minute with the
    # MultiDeviceIterator of MirroredStrategy.
    options.autotune.enabled = False
    # Searching for rewrites takes 15 ms and finds none.
    options.experimental_optimization.apply_default_optimizations = False
    return (
        keys.map(decode, num_parallel_calls=os.cpu_count())
        .prefetch(_NUM_PREFETCHED)
        .with_options(options)
    )


def decode_pngs(pngs: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """Decodes greyscale PNGs of one size.

    TensorFlow has no op that decodes a batch of PNGs, but it has one that
    inflates a batch of zlib streams. That is enough for plain PNGs, which
    `seqdigits_tfds.png` defines. Any other batch is decoded image by image,
    which takes twice the time.

    Args:
      pngs: string [b].
      shape: (height, width, 1).

    Returns:
      uint8 [b, height, width, 1].
    """
    height, width, _ = shape
    rows = tf.cond(
        _have_plain_layout(pngs, height, width),
        lambda: _inflate(pngs, height, width),
        lambda: tf.fill((1, 1, 1), tf.constant(png.NO_FILTER + 1, tf.uint8)),
    )
    images = tf.cond(
        tf.reduce_all(rows[:, :, 0] == png.NO_FILTER),
        lambda: rows[:, :, 1:, tf.newaxis],
        lambda: tf.map_fn(
            lambda one: tf.io.decode_png(one, channels=1),
            pngs,
            fn_output_signature=tf.TensorSpec(shape, tf.uint8),
        ),
    )
    return tf.ensure_shape(images, (pngs.shape[0], *shape))


def _have_plain_layout(pngs: tf.Tensor, height: int, width: int) -> tf.Tensor:
    header = png.make_header(height, width)
    lengths = tf.io.decode_raw(
        tf.strings.substr(pngs, png.LENGTH_OFFSET, 4),
        tf.int32,
        little_endian=False,
    )
    # If the first data chunk fills the file, it is the only one.
    return tf.reduce_all(
        (tf.strings.substr(pngs, 0, len(header)) == header)
        & (lengths[:, 0] == tf.strings.length(pngs) - png.OVERHEAD)
    )


def _inflate(pngs: tf.Tensor, height: int, width: int) -> tf.Tensor:
    lengths = tf.strings.length(pngs) - png.OVERHEAD
    offsets = tf.fill(tf.shape(lengths), png.DATA_OFFSET)
    streams = tf.strings.substr(pngs, offsets, lengths)
    rows = tf.io.decode_raw(tf.io.decode_compressed(streams, "ZLIB"), tf.uint8)
    return tf.reshape(rows, (-1, height, 1 + width))
