"""Draws single glyphs of any size, angle and brightness.

All arithmetic on pixels is in integers, so that every machine and version of
NumPy makes the same images.
"""

from typing import Any

import numpy as np

COORDINATE_BITS = 12
"""Fractional bits of coordinates and matrices."""

_WEIGHT_BITS = 8
"""Those of them that bilinear interpolation uses."""

_BORDER = 2
"""Empty pixels around a glyph: all that interpolation outside of it reads."""

_GLYPHS_AT_ONCE = 128
"""Glyphs that are drawn together: their pixels fit into a core's cache."""


def find_extent(ink: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first place with ink and the one after the last, [g, n]."""
    first = ink.argmax(axis=1)
    after = ink.shape[1] - ink[:, ::-1].argmax(axis=1)
    return first, np.where((first > 0) | ink[:, 0], after, first)


def measure_inks(
    sources: np.ndarray, angles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds the size of each rotated glyph's ink, in the source's pixels.

    Returns:
      Twice the coordinates (x, y) of the middle of the ink, int64 [2, g], and
      the width and height of the ink, rotated and interpolated, float64 [g].
    """
    # Reductions over the last axis are slow.
    ink = sources > 0
    top, bottom = find_extent(ink.swapaxes(1, 2).copy().any(axis=1))
    left, right = find_extent(ink.any(axis=1))
    # Interpolation makes the ink less than a pixel wider on each side. The rest
    # is for the rounding of matrices: a tighter bound would cut off faint ink
    # in some batches and not in others.
    width, height = (
        (size + 1) * 1.001 + 0.1 for size in (right - left, bottom - top)
    )
    cos, sin = np.abs(np.cos(angles)), np.abs(np.sin(angles))
    return (
        np.stack([left + right - 1, top + bottom - 1]),
        cos * width + sin * height,
        sin * width + cos * height,
    )


def place_middles(
    matrices: np.ndarray, middles: np.ndarray, center: np.ndarray
) -> np.ndarray:
    """Makes the transforms that put the middle of an ink onto a pixel.

    Args:
      matrices: int64 [2, g], the first row of the matrix of each rotation.
      middles: int64 [2, g], from `measure_inks`.
      center: int64 [2] or [2, g], x and y of the pixel.

    Returns:
      int64 [6, g]: the pixel (x, y) shows the point (a x + b y + c,
      d x + e y + f) of the glyph, in units of 2**-12 pixels.
    """
    a, b = matrices
    x, y = center
    c, f = middles << COORDINATE_BITS - 1
    return np.stack([a, b, c - a * x - b * y, -b, a, f + b * x - a * y])


def draw_patches(
    sources: np.ndarray,
    middles: np.ndarray,
    matrices: np.ndarray,
    radii: np.ndarray,
    brightness: np.ndarray,
) -> np.ndarray:
    """Draws each glyph in the middle of a patch of its own.

    Args:
      sources: uint8 [g, h, w].
      middles: int64 [2, g], from `measure_inks`.
      matrices: int64 [2, g], the first row of the matrix of each rotation,
        which turns pixels of the patch into pixels of the glyph.
      radii: int64 [2, g], bounds of half the glyph's width and height.
      brightness: int32 [g], 256 = unchanged.

    Returns:
      uint8 [g, height, width], as large as the largest radii require.
    """
    center = radii.max(axis=1)
    transforms = place_middles(matrices, middles, center)
    width, height = (2 * center + 1).tolist()
    patches = np.zeros((len(sources), height, width), np.uint8)
    # Narrow glyphs only need the middle of their patches, so draw glyphs of
    # similar width together.
    order = np.argsort(radii[0], kind="stable")
    for start in range(0, len(order), _GLYPHS_AT_ONCE):
        chosen = order[start : start + _GLYPHS_AT_ONCE]
        margins = center - radii[:, chosen].max(axis=1)
        x, y = (
            slice(margin, size - margin)
            for margin, size in zip(margins, (width, height), strict=True)
        )
        patches[start : start + len(chosen), y, x] = _interpolate(
            sources[chosen],
            transforms[:, chosen].astype(np.int32),
            np.arange(x.start, x.stop, dtype=np.int32),
            np.arange(y.start, y.stop, dtype=np.int32)[:, None],
            brightness[chosen, None, None].astype(np.uint32),
        )
    return patches[np.argsort(order)]


def _interpolate(
    sources: np.ndarray,
    transforms: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    brightness: np.ndarray,
) -> np.ndarray:
    """Interpolates glyphs bilinearly, rounded to the nearest integers.

    Args:
      sources: uint8 [g, h, w].
      transforms: int32 [6, g], from `place_middles`.
      x: int32 [width], columns of the patches.
      y: int32 [height, 1], rows of the patches.
      brightness: uint32 [g, 1, 1], 256 = unchanged.

    Returns:
      uint32 [g, height, width], 0..255.
    """
    num_glyphs, height, width = sources.shape
    a, b, c, d, e, f = transforms[:, :, None, None]
    xs = (a * x + c) + b * y
    ys = (e * y + f) + d * x
    fraction_bits = COORDINATE_BITS - _WEIGHT_BITS
    right = (xs >> fraction_bits).astype(np.uint32) & 255
    below = (ys >> fraction_bits).astype(np.uint32) & 255
    xs >>= COORDINATE_BITS
    ys >>= COORDINATE_BITS
    np.clip(xs, -_BORDER, width, out=xs)
    np.clip(ys, -_BORDER, height, out=ys)
    border = ((0, 0), (_BORDER, _BORDER), (_BORDER, _BORDER))
    padded = np.pad(sources, border).astype(np.uint32)
    # Each entry holds a pixel and the one below, of 16 bits each, so that one
    # multiplication takes both.
    pairs = padded[:, :-1] | padded[:, 1:] << 16
    stride = width + 2 * _BORDER
    firsts = np.arange(num_glyphs, dtype=np.int32) * pairs[0].size
    ys *= stride
    ys += xs
    ys += (firsts + _BORDER * (stride + 1))[:, None, None]
    both = np.take(pairs, ys) * (256 - right)
    ys += 1
    both += np.take(pairs, ys) * right
    values = (both & 0xFFFF) * (256 - below)
    both >>= 16
    both *= below
    values += both
    values += 1 << 15
    values >>= 16
    values *= brightness
    values += 128
    values >>= 8
    return values
