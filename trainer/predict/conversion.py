"""Converts any picture of digits to images like the dataset's.

A model only knows the layout of its dataset, so resizing a picture is not
enough. With the layout "tiled", each cell of a row of 28x28 cells contains one
digit, bright on dark, with the size and position of MNIST's digits. With the
layout "scattered", digits may touch. This module therefore finds the shapes in
a picture, cuts them out, and arranges them in these layouts.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from seqdigits_tfds import InputError, rendering
from seqdigits_tfds.builder_config import TILED
from seqdigits_tfds.sources import GLYPH_SIZE
from trainer.data.sequences import ExampleShape
from trainer.predict.ink import measure_border
from trainer.predict.shapes import Shape

_DIGIT_SIZE = 20
"""Longest side of a digit in its cell, in pixels, as in MNIST."""

_SCATTERED_HEIGHT = 22
"""Height of a shape, in pixels: MNIST's, by the mean scale of the configs."""

_MARGIN = 4
"""Least distance between a scattered shape and the border of the image."""

_WIDEST_DIGIT = 1.3
"""Greatest width of a digit, relative to its height."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """An image for a model, and what it was made of.

    Attributes:
      image: uint8 [height, width, 1], 0 = background.
      shapes: The shapes in it, from left to right: with the layout "tiled" one
        for each position, otherwise a single one.
    """

    image: np.ndarray
    shapes: Sequence[Shape]


def take_own_image(
    picture: Image.Image, shape: ExampleShape
) -> np.ndarray | None:
    """Returns an image as it is, if it comes from the dataset.

    Args:
      picture: Any picture. It is taken to come from the dataset if it is
        greyscale, of the model's input size, and has a dark border.
      shape: The shape of the model's input and output.

    Returns:
      uint8 [height, width, 1], 0 = background; None if it must be converted.
    """
    height, width, _ = shape.image
    if picture.mode != "L" or picture.size != (width, height):
        return None
    image = np.asarray(picture)
    return image[:, :, None] if measure_border(image) < 128 else None


def convert(
    shapes: Sequence[Shape], shape: ExampleShape, layout: str
) -> list[Piece]:
    """Converts a line of shapes to inputs of a model.

    Args:
      shapes: From `shapes.find_lines`.
      shape: The shape of the model's input and output.
      layout: That of the model's dataset; see `seqdigits_tfds.SeqDigitsConfig`.

    Raises:
      InputError: If there are digits that touch, which a model of a tiled
        dataset can't read.
    """
    if layout != TILED:
        return [Piece(_scatter(found, shape), [found]) for found in shapes]
    for found in shapes:
        if found.box.width > _WIDEST_DIGIT * found.box.height:
            raise InputError(
                "expected digits that don't touch, found a shape"
                f" {found.box.width / found.box.height:.1f} times as wide as"
                " high; use a model of a scattered dataset, such as"
                " seqdigits/mnist_scattered"
            )
    return [
        _tile(shapes[start : start + shape.num_positions], shape)
        for start in range(0, len(shapes), shape.num_positions)
    ]


def _tile(shapes: Sequence[Shape], shape: ExampleShape) -> Piece:
    height, width, _ = shape.image
    cells = np.zeros((shape.num_positions, GLYPH_SIZE, GLYPH_SIZE), np.uint8)
    for cell, found in zip(cells, shapes, strict=False):
        # The centre of mass is in the middle, as far as the cell allows.
        digit = _resize(found.ink, _DIGIT_SIZE / max(found.ink.shape))
        top, left = (
            int(np.clip(round(GLYPH_SIZE / 2 - center), 0, GLYPH_SIZE - size))
            for center, size in zip(
                ndimage.center_of_mass(digit), digit.shape, strict=True
            )
        )
        cell[top : top + len(digit), left : left + digit.shape[1]] = digit
    (image,) = rendering.render_sequences(
        cells[None], height=height, width=width
    )
    return Piece(image, shapes)


def _scatter(found: Shape, shape: ExampleShape) -> np.ndarray:
    scale = min(
        _SCATTERED_HEIGHT / found.box.height,
        *(
            (size - 2 * _MARGIN) / length
            for size, length in zip(shape.image, found.ink.shape, strict=False)
        ),
    )
    digits = _resize(found.ink, scale)
    image = np.zeros(shape.image, np.uint8)
    top, left = (
        (size - length) // 2
        for size, length in zip(shape.image, digits.shape, strict=False)
    )
    image[top : top + len(digits), left : left + digits.shape[1], 0] = digits
    return image


def _resize(values: np.ndarray, scale: float) -> np.ndarray:
    """Resizes a map of ink, and converts it to uint8; the most becomes 255."""
    height, width = (max(round(scale * size), 1) for size in values.shape)
    small = np.asarray(
        Image.fromarray(values.astype(np.float32)).resize(
            (width, height), Image.Resampling.BOX
        )
    )
    return np.round(255 * small / small.max()).astype(np.uint8)
