"""Batches of PNGs -> uint8 images."""

import tensorflow as tf

from seqdigits_tfds.png import (
    CHUNK_HEAD_SIZE,
    FRAME_SIZE,
    HEADER_SIZE,
    make_header,
)


def decode_pngs(pngs: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """Decodes greyscale PNGs of one size.

    There is no op that decodes several PNGs, but one that inflates several
    zlib streams. That is all it takes if all are plain, as `seqdigits_tfds`
    writes them; others are decoded one by one, which takes twice as long.

    Args:
      pngs: string [b].
      shape: (height, width, 1).

    Returns:
      uint8 [b, height, width, 1].
    """
    height, width, _ = shape
    rows = tf.cond(
        _have_one_chunk(pngs, height, width),
        lambda: _inflate(pngs, height, width),
        lambda: tf.ones((1, 1, 1), tf.uint8),
    )
    # Each row begins with the number of its filter; 0 is none.
    images = tf.cond(
        tf.reduce_all(rows[:, :, 0] == 0),
        lambda: rows[:, :, 1:, tf.newaxis],
        lambda: tf.map_fn(
            lambda png: tf.io.decode_png(png, channels=1),
            pngs,
            fn_output_signature=tf.TensorSpec(shape, tf.uint8),
        ),
    )
    return tf.ensure_shape(images, (pngs.shape[0], *shape))


def _have_one_chunk(pngs: tf.Tensor, height: int, width: int) -> tf.Tensor:
    sizes = tf.io.decode_raw(
        tf.strings.substr(pngs, HEADER_SIZE, 4), tf.int32, little_endian=False
    )
    headers = tf.strings.substr(pngs, 0, HEADER_SIZE)
    # The first chunk after the header fills the file, so it has all data.
    return tf.reduce_all(
        (headers == make_header(height, width))
        & (sizes[:, 0] == tf.strings.length(pngs) - FRAME_SIZE)
    )


def _inflate(pngs: tf.Tensor, height: int, width: int) -> tf.Tensor:
    sizes = tf.strings.length(pngs) - FRAME_SIZE
    starts = tf.fill(tf.shape(sizes), HEADER_SIZE + CHUNK_HEAD_SIZE)
    streams = tf.strings.substr(pngs, starts, sizes)
    rows = tf.io.decode_raw(tf.io.decode_compressed(streams, "ZLIB"), tf.uint8)
    return tf.reshape(rows, (-1, height, 1 + width))
