"""Converts any picture of digits in a row to an image like the dataset's.

The models are trained on a single layout: a row of 28x28 cells, resized to the
model's input. Each cell contains one digit, bright on dark, with the size and
position of MNIST's digits. This module therefore finds the digits, cuts them
out, and arranges them in this layout.
"""

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from seqdigits_tfds import InputError, rendering
from seqdigits_tfds.sources import GLYPH_SIZE
from trainer.data.sequences import ExampleShape

_WORKING_SIZE = 640
"""Longest side, in pixels, of the picture in which digits are searched for."""

_DIGIT_SIZE = 20
"""Longest side of a digit in its cell, in pixels, as in MNIST."""

_MIN_CONTRAST = 24
"""Smallest contrast between ink and background, out of 255."""

_INK = 0.4
"""Threshold that separates ink from background, relative to the darkest ink."""


def convert(picture: Image.Image, shape: ExampleShape) -> np.ndarray:
    """Converts a picture to the input of a model.

    A greyscale picture of the model's input size with a dark background is
    assumed to come from the dataset, and left unchanged. In any other picture,
    the digits are searched for.

    Args:
      picture: Any mode and size: digits in a row, on a contrasting background.
      shape: The shape of the model's input and output.

    Returns:
      uint8 [height, width, 1], 0 = background.

    Raises:
      InputError: If no digits or too many are found, or a shape fills the
        picture.
    """
    grey = _to_grey(picture)
    if (
        picture.mode == "L"
        and grey.shape == shape.image[:2]
        and np.median(_get_border(grey)) < 128
    ):
        return grey[:, :, None]
    ink = _find_ink(_shrink(grey))
    digits = _cut_out(ink)
    if len(digits) > shape.num_positions:
        raise InputError(
            f"expected at most {shape.num_positions} digits in a row, found"
            f" {len(digits)} separate shapes; crop the picture"
        )
    height, width, _ = shape.image
    cells = np.zeros((shape.num_positions, GLYPH_SIZE, GLYPH_SIZE), np.uint8)
    for cell, digit in zip(cells, digits, strict=False):
        _place(digit, cell)
    (image,) = rendering.render_sequences(
        cells[None], height=height, width=width
    )
    return image


def _to_grey(picture: Image.Image) -> np.ndarray:
    """Returns uint8 [height, width]; transparency becomes background."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        values = np.asarray(picture, np.float64)
        # 16 bits, unless no value needs more than 8.
        top = 65535 if values.max() > 255 else max(values.max(), 1)
        return np.clip(values * (255 / top), 0, 255).astype(np.uint8)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = np.asarray(picture.getchannel("A"), np.float64)
        grey = np.asarray(picture.convert("RGB").convert("L"))
        # The opaque part is ink, and dark ink needs a light background.
        is_dark = np.average(grey, weights=alpha + 1e-9) < 128
        background = Image.new(
            "RGBA", picture.size, "white" if is_dark else "black"
        )
        picture = Image.alpha_composite(background, picture)
    return np.asarray(picture.convert("RGB").convert("L"))


def _get_border(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _shrink(grey: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(grey)
    picture.thumbnail((_WORKING_SIZE, _WORKING_SIZE), Image.Resampling.BOX)
    return np.asarray(picture)


def _find_ink(grey: np.ndarray) -> np.ndarray:
    """Returns the amount of ink, float64 [height, width], 0 to 1."""
    values = grey.astype(np.float64)
    if np.median(_get_border(values)) >= 128:
        values = 255 - values
    # Paper is neither pure white nor evenly lit, but its brightness changes
    # slowly.
    size = max(values.shape) // 4 + 1
    paper = ndimage.uniform_filter(
        ndimage.minimum_filter(values, size=size), size=size
    )
    ink = ndimage.gaussian_filter(np.maximum(values - paper, 0), 0.7)
    if ink.max() < _MIN_CONTRAST:
        raise InputError("expected digits, found a picture without contrast")
    return np.minimum(ink / ink.max(), 1)


def _cut_out(ink: np.ndarray) -> list[np.ndarray]:
    """Returns the digits from left to right, each cropped to its bounding box.

    Shapes that are much smaller than the tallest one are ignored.
    """
    parts, _ = ndimage.label(ink > _INK, structure=np.ones((3, 3)))
    groups: list[tuple[int, int, set[int]]] = []
    for number, (_, columns) in enumerate(ndimage.find_objects(parts), 1):
        left, right, members = columns.start, columns.stop, {number}
        # Shapes above each other belong to the same digit.
        for other in list(groups):
            overlap = min(right, other[1]) - max(left, other[0])
            if overlap > 0.4 * min(right - left, other[1] - other[0]):
                groups.remove(other)
                left, right = min(left, other[0]), max(right, other[1])
                members |= other[2]
        groups.append((left, right, members))
    digits = []
    for _, _, members in sorted(groups, key=lambda group: group[0]):
        is_digit = np.isin(parts, list(members))
        (box,) = ndimage.find_objects(is_digit.astype(np.int8))
        # Includes the soft edge, which is below the threshold.
        near = ndimage.binary_dilation(is_digit, iterations=2)
        digits.append(np.where(near, ink, 0)[box])
    if any(digit.shape == ink.shape for digit in digits):
        raise InputError(
            "expected digits on a plain background, found a shape that fills"
            " the picture"
        )
    tallest = max(len(digit) for digit in digits)
    return [digit for digit in digits if len(digit) > 0.4 * tallest]


def _place(digit: np.ndarray, cell: np.ndarray) -> None:
    """Draws a digit into its cell, with its centre of mass in the middle.

    A digit whose centre of mass is far from its own middle is only moved as far
    as the cell allows.
    """
    scale = _DIGIT_SIZE / max(digit.shape)
    height, width = (max(round(scale * size), 1) for size in digit.shape)
    small = np.asarray(
        Image.fromarray(digit.astype(np.float32)).resize(
            (width, height), Image.Resampling.BOX
        )
    )
    small = np.round(255 * small / small.max()).astype(np.uint8)
    top, left = (
        int(np.clip(round(GLYPH_SIZE / 2 - center), 0, GLYPH_SIZE - size))
        for center, size in zip(
            ndimage.center_of_mass(small), small.shape, strict=True
        )
    )
    cell[top : top + height, left : left + width] = small
