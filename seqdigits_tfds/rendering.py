"""Digits -> uint8 images."""

import numpy as np
from PIL import Image

WEIGHT_BITS = 22
"""Binary places of Pillow's weights for 8-bit images."""


def render_sequences(
    glyphs: np.ndarray, *, height: int, width: int
) -> np.ndarray:
    """Draws rows of digits side by side and resizes them to images.

    Args:
      glyphs: uint8 [n, cells, h, w], the digits of each row from left to right;
        0 in cells without one.
      height: Height of an image, in pixels.
      width: Width of an image, in pixels.

    Returns:
      uint8 [n, height, width, 1], 0 = background, resized as Pillow's bilinear
      filter does it.
    """
    n, num_cells, cell_height, cell_width = glyphs.shape
    # Pillow resizes rows, then columns of the rounded result. So may we, all
    # images beneath each other and then all beside each other.
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
