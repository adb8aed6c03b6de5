"""Pictures are converted to the layout of the dataset."""

import collections
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

import pictures
from seqdigits_tfds.builder_config import SCATTERED, TILED
from trainer.data.sequences import ExampleShape
from trainer.predict import conversion
from trainer.predict.ink import find_ink
from trainer.predict.pictures import decode_picture
from trainer.predict.shapes import Box, Shape, find_lines

SHAPE = ExampleShape((64, 64, 1), 5, 11)
WIDE = ExampleShape((64, 128, 1), 7, 11)


def convert(picture, layout=TILED, shape=SHAPE):
    """Returns the images of a picture of one line."""
    (shapes,) = find_lines(find_ink(picture))
    return [p.image for p in conversion.convert(shapes, shape, layout)]


def count_digits(image):
    """Counts the cells, 12.8 columns wide, that have ink in the middle."""
    columns = image[..., 0].max(axis=0) > 60
    centers = (np.arange(5) + 0.5) * 12.8
    return sum(columns[int(c) - 3 : int(c) + 4].any() for c in centers)


def test_the_datasets_own_images_are_unchanged():
    image = np.zeros((64, 64), np.uint8)
    image[20:40, 4:9] = 200
    converted = conversion.take_own_image(Image.fromarray(image), SHAPE)
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
    (image,) = convert(change(pictures.draw(text)))
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
            (image,) = convert(picture)
            assert count_digits(image) == 4


@pytest.mark.parametrize("grey", [0, 255])
def test_transparency_becomes_background(grey):
    alpha = ImageOps.invert(pictures.draw("35").convert("L"))
    picture = Image.new("LA", alpha.size, (grey, 0))
    picture.putalpha(alpha)
    (image,) = convert(picture)
    assert count_digits(image) == 2


def test_exif_orientation_is_applied():
    upright = pictures.draw("471")
    turned = upright.rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6  # Rotate clockwise.
    file = pictures.encode(turned, "PNG", exif=exif)
    np.testing.assert_array_equal(
        convert(decode_picture(file)), convert(upright)
    )


# Two entries: turned by 90 degrees, and a resolution that is text.
WRONG_EXIF = b"II*\0\x08\0\0\0\x02\0" + (
    struct.pack("<HHLHH", 0x0112, 3, 1, 6, 0)
    + struct.pack("<HHL4sL", 0x011A, 2, 4, b"abc\0", 0)
)


@pytest.mark.parametrize("content", [b"damaged", WRONG_EXIF])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_damaged_exif_is_ignored(file_format, content):
    file = pictures.encode(
        pictures.draw("471"), file_format, exif=b"Exif\0\0" + content
    )
    (image,) = convert(decode_picture(file))
    assert count_digits(image) == 3


def test_digits_are_found_on_ruled_paper_in_shadows_and_in_lines():
    num_found = collections.Counter()
    for kind, text, _, content in pictures.make_pictures_from_life():
        if kind != "touching":
            lines = find_lines(find_ink(Image.open(io.BytesIO(content))))
            assert list(map(len, lines)) == list(map(len, text.split("\n")))
            num_found[kind] += 1
    assert num_found == {"two lines": 12, "ruled": 12, "shadow": 12}


def test_long_lines_take_several_images():
    images = convert(pictures.draw("1234567", size=40))
    assert [count_digits(image) for image in images] == [5, 2]


def test_scattered_shapes_keep_their_form():
    """Each in the middle of an image, as high as the dataset's digits."""
    picture = pictures.draw("10", size=120)
    for image, found in zip(
        convert(picture, SCATTERED, WIDE),
        find_lines(find_ink(picture))[0],
        strict=True,
    ):
        rows, columns, _ = np.nonzero(image > 60)
        assert np.ptp(rows) + 1 == pytest.approx(22, abs=1)
        assert np.ptp(columns) + 1 == pytest.approx(
            22 * found.box.width / found.box.height, abs=2
        )
        assert rows.mean() == pytest.approx(32, abs=3)
        assert columns.mean() == pytest.approx(64, abs=3)


def test_shapes_are_divided_where_ink_is_least():
    ink = np.zeros((20, 40))
    ink[5:15, :18] = ink[2:20, 19:] = 1
    ink[10, 18] = 1
    shape = Shape(Box(100, 200, 140, 220), ink)
    left, right = shape.divide(2)
    assert left == Box(100, 205, 118, 215)
    assert right == Box(118, 202, 140, 220)
    assert len(shape.divide(50)) == 50


def test_lines_are_found_from_top_to_bottom():
    """With digits of different heights, and a 5 in two parts."""
    ink = np.zeros((200, 300))
    for left, top in ((10, 20), (60, 30), (110, 10), (20, 120), (90, 125)):
        ink[top : top + 50, left : left + 20] = 1
    ink[105:110, 90:115] = 1
    ink[90, 200] = 1
    lines = find_lines(ink)
    assert [[shape.box.left for shape in line] for line in lines] == [
        *([10, 60, 110], [20, 90]),
    ]
    assert lines[1][1].box == Box(90, 105, 115, 175)
