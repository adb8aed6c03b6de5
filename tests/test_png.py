import io
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from seqdigits_tfds import png
from seqdigits_tfds.decoding import decode_pngs

IMAGES = np.random.default_rng(0).integers(
    0, 256, (23, 64, 48, 1), dtype=np.uint8
)
SHAPE = IMAGES.shape[1:]
PLAIN = [png.encode_png(image) for image in IMAGES]


def encode_with_pillow(image, **options):
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "PNG", **options)
    return file.getvalue()


def split_data(plain):
    """Returns the same picture with its data in two chunks."""
    start = png.DATA_OFFSET
    data, end = plain[start:-16], plain[-12:]
    return (
        plain[: png.LENGTH_OFFSET]
        + make_chunk(b"IDAT" + data[:100])
        + make_chunk(b"IDAT" + data[100:])
        + end
    )


def decode(pngs):
    return decode_pngs(
        pngs, SHAPE, lambda: tf.map_fn(tf.io.decode_png, pngs, dtype=tf.uint8)
    )


def make_chunk(content):
    return b"".join(
        (
            (len(content) - 4).to_bytes(4),
            content,
            zlib.crc32(content).to_bytes(4),
        )
    )


def test_other_decoders_read_every_pixel():
    for image, plain in zip(IMAGES, PLAIN, strict=True):
        with Image.open(io.BytesIO(plain)) as decoded:
            decoded.verify()
        decoded = Image.open(io.BytesIO(plain))
        assert decoded.mode == "L"
        assert (np.array(decoded) == image[..., 0]).all()
        assert (tf.io.decode_png(plain) == image).numpy().all()


@pytest.mark.parametrize(
    "pngs",
    [
        PLAIN,
        PLAIN[:1],
        # All images filtered; one of them; two data chunks; an additional chunk
        # before the data.
        [encode_with_pillow(image) for image in IMAGES],
        [encode_with_pillow(IMAGES[0]), *PLAIN[1:]],
        [*PLAIN[:-1], split_data(PLAIN[-1])],
        [encode_with_pillow(image, dpi=(96, 96)) for image in IMAGES],
    ],
)
def test_all_pngs_are_decoded(pngs):
    decoded = tf.function(decode, autograph=False)(tf.constant(pngs))
    assert (decoded == IMAGES[: len(pngs)]).numpy().all()


def test_plain_pngs_are_only_inflated():
    # Inflating ignores the checksum of the data chunk.
    damaged = [plain[:-13] + b"?" + plain[-12:] for plain in PLAIN]
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.decode_png(damaged[0])
    assert (decode(tf.constant(damaged)) == IMAGES).numpy().all()
