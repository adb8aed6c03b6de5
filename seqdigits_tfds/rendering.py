"""Renders sequences of digits as uint8 images."""

import numpy as np
from PIL import Image


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
    # Pillow's memory is read-only.
    return images.reshape(height, n, width).swapaxes(0, 1)[..., None].copy()


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(
        Image.fromarray(pixels).resize(
            (width, height), Image.Resampling.BILINEAR
        )
    )
