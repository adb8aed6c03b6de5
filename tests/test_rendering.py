import numpy as np
from PIL import Image

from seqdigits_tfds import rendering


def test_digits_fill_the_cells_from_the_left():
    glyphs = np.zeros((1, 5, 28, 28), np.uint8)
    glyphs[0, 0], glyphs[0, 1] = 50, 200
    (image,) = rendering.render_sequences(glyphs, height=28, width=140)
    assert image.shape == (28, 140, 1)
    assert image.dtype == np.uint8
    assert (image[:, :28] == 50).all()
    assert (image[:, 28:56] == 200).all()
    assert (image[:, 56:] == 0).all()


def test_resizing_is_pillows_bilinear_filter():
    glyphs = np.random.default_rng(0).integers(
        0, 256, (3, 5, 28, 28), dtype=np.uint8
    )
    for height, width in ((64, 64), (48, 200), (28, 30), (20, 140)):
        images = rendering.render_sequences(glyphs, height=height, width=width)
        for image, cells in zip(images, glyphs, strict=True):
            row = Image.fromarray(np.concatenate(list(cells), axis=1))
            expected = row.resize((width, height), Image.BILINEAR)
            assert (image[..., 0] == np.array(expected)).all()
