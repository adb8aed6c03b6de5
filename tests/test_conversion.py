"""Pictures are converted to the layout of the dataset."""

import numpy as np
import pytest
from PIL import Image, ImageOps

import pictures
from trainer.data.sequences import ExampleShape
from trainer.predict.conversion import convert

SHAPE = ExampleShape((64, 64, 1), 5, 11)


def count_digits(image):
    """Counts the cells, 12.8 columns wide, that have ink in the middle."""
    columns = image[..., 0].max(axis=0) > 60
    centers = (np.arange(5) + 0.5) * 12.8
    return sum(columns[int(c) - 3 : int(c) + 4].any() for c in centers)


def test_the_datasets_own_images_are_unchanged():
    image = np.zeros((64, 64), np.uint8)
    image[20:40, 4:9] = 200
    converted = convert(Image.fromarray(image), SHAPE)
    assert converted.dtype == np.uint8
    assert (converted[..., 0] == image).all()


@pytest.mark.parametrize("text", ["7", "42", "058", "1234", "90213"])
@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        ImageOps.invert,
        ImageOps.grayscale,
        pictures.photograph,
        lambda p: p.rotate(3, fillcolor=(250, 250, 250)),
        lambda p: p.resize((p.width * 9, p.height * 9)),
        lambda p: p.resize((p.width // 4, p.height // 4), Image.BOX),
        lambda p: p.convert("CMYK"),
        lambda p: p.convert("P"),
        lambda p: Image.fromarray(
            257 * np.asarray(p.convert("L")).astype(np.uint16)
        ),
    ],
    ids=[
        *("unchanged", "inverted", "grey", "photograph", "rotated"),
        *("large", "small", "cmyk", "palette", "16_bits"),
    ],
)
def test_each_digit_gets_its_cell(text, change):
    image = convert(change(pictures.draw(text)), SHAPE)
    assert image.shape == (64, 64, 1)
    assert count_digits(image) == len(text)
    assert image[:, int(12.8 * len(text)) :].max(initial=0) == 0
    assert image.max() > 200


def test_digits_are_found_in_other_fonts_and_colours():
    for font in ("DejaVuSerif-Bold.ttf", "DejaVuSansMono.ttf", "cmr10.ttf"):
        for ink, paper in (
            ((240, 230, 120), (20, 30, 90)),
            ((40, 60, 160), (240, 240, 220)),
        ):
            picture = pictures.draw("3827", font=font, ink=ink, paper=paper)
            assert count_digits(convert(picture, SHAPE)) == 4


@pytest.mark.parametrize("grey", [0, 255])
def test_transparency_becomes_background(grey):
    alpha = ImageOps.invert(pictures.draw("35").convert("L"))
    picture = Image.new("LA", alpha.size, (grey, 0))
    picture.putalpha(alpha)
    assert count_digits(convert(picture, SHAPE)) == 2


def test_exif_orientation_is_applied():
    upright = pictures.draw("471")
    turned = upright.rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6  # Rotate clockwise.
    file = pictures.encode(turned, "PNG", exif=exif)
    with Image.open(pictures.io.BytesIO(file)) as picture:
        assert (convert(picture, SHAPE) == convert(upright, SHAPE)).all()
