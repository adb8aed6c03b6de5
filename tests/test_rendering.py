import io

import numpy as np
from PIL import Image

from seqdigits_tfds import rendering


def test_digits_stand_in_their_cells_from_the_left():
    glyphs = np.stack([np.full((28, 28), v, np.uint8) for v in (50, 200)])
    image = rendering.render_sequence(
        glyphs, max_digits=5, height=28, width=140
    )
    assert image.shape == (28, 140, 1)
    assert image.dtype == np.uint8
    assert (image[:, :28] == 50).all()
    assert (image[:, 28:56] == 200).all()
    assert (image[:, 56:] == 0).all()


def test_resizing_is_pillows_bilinear_filter():
    glyphs = np.random.default_rng(0).integers(
        0, 256, (5, 28, 28), dtype=np.uint8
    )
    image = rendering.render_sequence(glyphs, max_digits=5, height=64, width=64)
    row = Image.fromarray(np.concatenate(list(glyphs), axis=1))
    assert (image[..., 0] == np.array(row.resize((64, 64), 2))).all()


def test_png_keeps_every_pixel():
    image = np.random.default_rng(0).integers(
        0, 256, (64, 48, 1), dtype=np.uint8
    )
    decoded = Image.open(io.BytesIO(rendering.encode_png(image)))
    assert decoded.mode == "L"
    assert (np.array(decoded) == image[..., 0]).all()
