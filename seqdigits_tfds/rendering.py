"""Renders sequences of digits as uint8 images."""

import numpy as np
from PIL import Image

WEIGHT_BITS = 22
"""Fractional bits of Pillow's fixed-point weights for 8-bit images."""


def render_sequences(
    glyphs: np.ndarray, *, height: int, width: int
) -> np.ndarray:
    """Places digits side by side and resizes each row to an image.

    Args:
      glyphs: uint8 [n, cells, h, w], the digits of each row from left to right;
        empty cells are 0.
      height: Height of an image, in pixels.
      width: Width of an image, in pixels.

    Returns:
      uint8 [n, height, width, 1], 0 = background, resized with Pillow's
      bilinear filter.
    """
    n, num_cells, cell_height, cell_width = glyphs.shape
    # Pillow resizes the width first, then the height of the rounded result. So
    # a batch can be stacked vertically, then horizontally: two calls give the
    # same pixels as one call per image.
    stacked = glyphs.transpose(0, 2, 1, 3).reshape(
        n * cell_height, num_cells * cell_width
    )
    narrow = _resize(stacked, n * cell_height, width)
    side_by_side = narrow.reshape(n, cell_height, width).swapaxes(0, 1)
    images = _resize(
        side_by_side.reshape(cell_height, n * width), height, n * width
    )
    return images.reshape(height, n, width).swapaxes(0, 1)[..., None]


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(
        Image.fromarray(pixels).resize(
            (width, height), Image.Resampling.BILINEAR
        )
    )


def make_resizing_weights(size: int, new_size: int) -> np.ndarray:
    """Makes the matrix that resizes one axis like Pillow's bilinear filter.

    Pillow uses fixed-point arithmetic: a new pixel is the weighted sum of old
    pixels, divided by 2**`WEIGHT_BITS` and rounded
    (`src/libImaging/Resample.c`). It resizes the width first, then the height
    of the rounded result.

    Args:
      size: Number of old pixels.
      new_size: Number of new pixels.

    Returns:
      float64 [size, new_size], integers from 0 to 2**`WEIGHT_BITS`.
    """
    scale = size / new_size
    # A triangle whose half-width is one new pixel, or one old pixel if larger.
    radius = max(scale, 1.0)
    centers = (np.arange(new_size) + 0.5) * scale
    distances = np.abs(np.arange(size)[:, None] + 0.5 - centers)
    weights = np.maximum(1 - distances / radius, 0)
    weights /= weights.sum(axis=0)
    return np.floor(weights * 2**WEIGHT_BITS + 0.5)
