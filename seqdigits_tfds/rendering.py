"""Digits -> one uint8 image, and its PNG."""

import io

import numpy as np
from PIL import Image

# Level 3 encodes these images in 0.6 of the time of zlib's default, level 6,
# for 5 % more bytes; lower levels are no faster on them.
_PNG_COMPRESS_LEVEL = 3

WEIGHT_BITS = 22
"""Binary places of Pillow's weights for 8-bit images."""


def render_sequence(
    glyphs: np.ndarray, *, max_digits: int, height: int, width: int
) -> np.ndarray:
    """Draws digits side by side and resizes the row to the image's size.

    Args:
      glyphs: uint8 [k, h, w], the digits from left to right, k <= max_digits.
      max_digits: Number of cells in the row, each h x w pixels; those after the
        last digit stay 0.
      height: Height of the result, in pixels.
      width: Width of the result, in pixels.

    Returns:
      uint8 [height, width, 1], 0 = background, resized as Pillow's bilinear
      filter does it.
    """
    num_digits, cell_height, cell_width = glyphs.shape
    row = np.zeros((cell_height, max_digits * cell_width), np.uint8)
    row[:, : num_digits * cell_width] = np.hstack(list(glyphs))
    resized = Image.fromarray(row).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(resized)[:, :, None]


def make_resizing_weights(size: int, new_size: int) -> np.ndarray:
    """Makes the matrix by which Pillow's bilinear filter resizes one axis.

    Pillow computes with integers: each new pixel is the weighted sum of old
    ones, over 2**`WEIGHT_BITS`, rounded (`src/libImaging/Resample.c`). The
    columns are resized first, and the rows of the rounded result after them.

    Args:
      size: Number of old pixels.
      new_size: Number of new pixels.

    Returns:
      float64 [size, new_size], integers of at most 2**`WEIGHT_BITS`.
    """
    scale = size / new_size
    # A triangle as wide as a new pixel, but no narrower than two old ones.
    radius = max(scale, 1.0)
    centers = (np.arange(new_size) + 0.5) * scale
    distances = np.abs(np.arange(size)[:, None] + 0.5 - centers)
    weights = np.maximum(1 - distances / radius, 0)
    weights /= weights.sum(axis=0)
    return np.floor(weights * 2**WEIGHT_BITS + 0.5)


def encode_png(image: np.ndarray) -> bytes:
    """Encodes a uint8 [height, width, 1] image as a greyscale PNG."""
    png = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(
        png, format="PNG", compress_level=_PNG_COMPRESS_LEVEL
    )
    return png.getvalue()
