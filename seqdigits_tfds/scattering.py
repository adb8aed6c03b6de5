"""The layout `scattered`: glyphs of any size, angle, distance and brightness.

All arithmetic on pixels is in integers, so that every machine and version of
NumPy makes the same images. Coordinates have 12 fractional bits, of which
bilinear interpolation uses 8.
"""

import dataclasses
from typing import Any

import numpy as np

from seqdigits_tfds.randomness import draw_words, to_integers, to_uniform

_COORDINATE_BITS = 12
_WEIGHT_BITS = 8

_BORDER = 2
"""Empty pixels around a glyph: all that interpolation outside of it reads."""

_FAR = 1_000_000
"""More than the width of any image."""

_GLYPHS_AT_ONCE = 128
"""Glyphs that are drawn together: their pixels fit into a core's cache."""

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Scatter:
    """Ranges from which each example or glyph draws uniformly, ends included.

    Attributes:
      gap: Between neighbouring glyphs, in whole pixels: the number of empty
        pixels between their inks in the row where they are nearest. Negative:
        they overlap.
      scale: Size of a glyph, 1 = as in the source. A sequence that is too wide
        for the image is made smaller as a whole.
      rotation: Counter-clockwise, in degrees.
      shift: Downwards from the middle of the image, in whole pixels; a glyph
        never leaves the image.
      brightness: Of the ink, 0..1.
    """

    gap: tuple[int, int] = (0, 6)
    scale: Range = (0.7, 1.1)
    rotation: Range = (-15.0, 15.0)
    shift: tuple[int, int] = (-8, 8)
    brightness: Range = (0.6, 1.0)


@dataclasses.dataclass(frozen=True)
class Scattered:
    """Images of n sequences, and where their glyphs are.

    Attributes:
      images: uint8 [n, height, width].
      boxes: int64 [n, positions, 4], the smallest box around the ink of each
        glyph, as top, left, bottom, right; bottom and right are exclusive. 0 if
        there is no ink.
      transforms: float32 [n, positions, 2, 3]; the pixel (x, y) of the image
        shows the point `transform @ (x, y, 1)` of the glyph. Both count pixels
        from the middle of the top left one. 0 without a glyph.
      masks: bool [n, positions, height, width], the ink of each glyph; None
        unless asked for.
    """

    images: np.ndarray
    boxes: np.ndarray
    transforms: np.ndarray
    masks: np.ndarray | None


def scatter_glyphs(
    glyphs: np.ndarray,
    lengths: np.ndarray,
    indices: np.ndarray,
    *,
    scatter: Scatter,
    seed: int,
    split: str,
    height: int,
    width: int,
    with_masks: bool = False,
) -> Scattered:
    """Draws sequences of glyphs from left to right.

    Where glyphs overlap, the brighter pixel shows.

    Args:
      glyphs: uint8 [n, positions, h, w], the glyphs of each sequence.
      lengths: int64 [n], number of glyphs of each sequence.
      indices: int64 [n], the examples, which determine all random numbers.
      scatter: Ranges of the random numbers.
      seed: The dataset's seed.
      split: Name of the split.
      height: Height of an image, in pixels.
      width: Width of an image, in pixels.
      with_masks: Whether to make masks.
    """
    num_examples, num_positions = glyphs.shape[:2]
    words = draw_words(seed, split, indices, 1 + 5 * num_positions, "scattered")
    examples, positions = np.nonzero(
        np.arange(num_positions) < lengths[:, None]
    )
    firsts = np.cumsum(lengths) - lengths
    # From here on, [g] stands for all glyphs, from left to right and example by
    # example.
    random = words[:, 1:].reshape(-1, 5, num_positions)[examples, :, positions]
    gaps = to_integers(random[:, 0], *scatter.gap) * (positions > 0)
    scales = to_uniform(random[:, 1], *scatter.scale)
    angles = np.deg2rad(to_uniform(random[:, 2], *scatter.rotation))
    shifts = to_integers(random[:, 3], *scatter.shift)
    brightness = to_uniform(random[:, 4], *scatter.brightness)

    sources = glyphs[examples, positions]
    middles, widths, heights = _measure_inks(sources, angles)
    spaces = np.maximum(gaps, 0)
    # Rounding each extent up takes less than a pixel.
    shrink = np.minimum(
        (width - lengths) / np.add.reduceat(scales * widths + spaces, firsts),
        (height - 1) / np.maximum.reduceat(scales * heights, firsts),
    )
    shrink = np.minimum(shrink, 1.0)[examples]
    scales *= shrink
    gaps = np.minimum(gaps, np.floor(spaces * shrink).astype(np.int64))

    matrices = np.stack([np.cos(angles), -np.sin(angles)]) / scales
    matrices = np.rint(matrices * 2**_COORDINATE_BITS).astype(np.int64)
    patches = _draw_patches(
        sources,
        middles,
        matrices,
        np.ceil(scales * np.stack([widths, heights]) / 2).astype(np.int64),
        np.rint(brightness * 256).astype(np.int32),
    )
    # Image row r shows row r - y of a patch, and likewise columns.
    inks = _Inks(patches)
    y = (height - inks.bottom - inks.top) // 2 + shifts
    y = np.clip(y, -inks.top, height - inks.bottom)
    steps = np.maximum(
        _find_steps(inks, y, gaps, height), -(-np.roll(inks.width, 1) // 2)
    )
    steps[firsts] = 0
    lefts = np.cumsum(steps)
    lefts -= lefts[firsts][examples]
    row_widths = np.maximum.reduceat(lefts + inks.width, firsts)
    free = (width - row_widths).astype(np.uint64) + np.uint64(1)
    lefts += (words[:, 0] % free).astype(np.int64)[examples]
    x = lefts - inks.left

    images = np.zeros((num_examples, height, width), np.uint8)
    masks = None
    if with_masks:
        masks = np.zeros((num_examples, num_positions, height, width), bool)
    boxes = np.stack([inks.top, inks.left, inks.bottom, inks.right], axis=1)
    columns = np.column_stack([examples, positions, x, y, boxes])
    for patch, row in zip(patches, columns.tolist(), strict=True):
        example, position, dx, dy, top, left, bottom, right = row
        ink = patch[top:bottom, left:right]
        top, bottom, left, right = top + dy, bottom + dy, left + dx, right + dx
        target = images[example, top:bottom, left:right]
        np.maximum(target, ink, out=target)
        if masks is not None:
            masks[example, position, top:bottom, left:right] = ink > 0

    scattered = Scattered(
        images=images,
        boxes=np.zeros((num_examples, num_positions, 4), np.int64),
        transforms=np.zeros((num_examples, num_positions, 2, 3), np.float32),
        masks=masks,
    )
    boxes += np.stack([y, x, y, x], axis=1)
    scattered.boxes[examples, positions] = boxes * (inks.width > 0)[:, None]
    center = np.array(patches.shape[:0:-1])[:, None] // 2 + [x, y]
    transforms = _place_middles(matrices, middles, center)
    scattered.transforms[examples, positions] = (
        transforms.T.reshape(-1, 2, 3) * 2.0**-_COORDINATE_BITS
    )
    return scattered


class _Inks:
    """Where the ink of some patches is.

    Args:
      patches: uint8 [g, height, width].

    Attributes:
      top, left, bottom, right: int64 [g], the box around the ink; bottom and
        right are exclusive. An empty patch has an empty box.
      width: int64 [g].
      first, last: int64 [g, height + 1], the first and last column with ink of
        each row. In a row without ink, and in the row that is appended, first
        is very large and last very small.
    """

    def __init__(self, patches: np.ndarray) -> None:
        _, height, width = patches.shape
        ink = patches > 0
        first, after = _find_extent(ink.reshape(-1, width))
        rows = (after > first).reshape(-1, height)
        self.top, self.bottom = _find_extent(rows)
        self.left, self.right = _find_extent(ink.any(axis=1))
        self.width = self.right - self.left
        self.first = np.full((len(patches), height + 1), _FAR)
        self.last = np.full((len(patches), height + 1), -_FAR)
        np.copyto(self.first[:, :-1], first.reshape(-1, height), where=rows)
        np.copyto(self.last[:, :-1], after.reshape(-1, height) - 1, where=rows)


def _find_extent(ink: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first place with ink and the one after the last, [g, n]."""
    first = ink.argmax(axis=1)
    after = ink.shape[1] - ink[:, ::-1].argmax(axis=1)
    return first, np.where((first > 0) | ink[:, 0], after, first)


def _measure_inks(
    sources: np.ndarray, angles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds the size of each rotated glyph's ink, in the source's pixels.

    Returns:
      Twice the coordinates (x, y) of the middle of the ink, int64 [2, g], and
      the width and height of the ink, rotated and interpolated, float64 [g].
    """
    # Reductions over the last axis are slow.
    ink = sources > 0
    top, bottom = _find_extent(ink.swapaxes(1, 2).copy().any(axis=1))
    left, right = _find_extent(ink.any(axis=1))
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


def _draw_patches(
    sources: np.ndarray,
    middles: np.ndarray,
    matrices: np.ndarray,
    radii: np.ndarray,
    brightness: np.ndarray,
) -> np.ndarray:
    """Draws each glyph in the middle of a patch of its own.

    Args:
      sources: uint8 [g, h, w].
      middles: int64 [2, g], from `_measure_inks`.
      matrices: int64 [2, g], the first row of the matrix of each rotation,
        which turns pixels of the patch into pixels of the glyph.
      radii: int64 [2, g], bounds of half the glyph's width and height.
      brightness: int32 [g], 256 = unchanged.

    Returns:
      uint8 [g, height, width], as large as the largest radii require.
    """
    center = radii.max(axis=1)
    transforms = _place_middles(matrices, middles, center)
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
      transforms: int32 [6, g], from `_place_middles`.
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
    fraction_bits = _COORDINATE_BITS - _WEIGHT_BITS
    right = (xs >> fraction_bits).astype(np.uint32) & 255
    below = (ys >> fraction_bits).astype(np.uint32) & 255
    xs >>= _COORDINATE_BITS
    ys >>= _COORDINATE_BITS
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


def _place_middles(
    matrices: np.ndarray, middles: np.ndarray, center: np.ndarray
) -> np.ndarray:
    """Makes the transforms that put the middle of an ink onto a pixel.

    Args:
      matrices: int64 [2, g], the first row of the matrix of each rotation.
      middles: int64 [2, g], from `_measure_inks`.
      center: int64 [2] or [2, g], x and y of the pixel.

    Returns:
      int64 [6, g]: the pixel (x, y) shows the point (a x + b y + c,
      d x + e y + f) of the glyph, in units of 2**-12 pixels.
    """
    a, b = matrices
    x, y = center
    c, f = middles << _COORDINATE_BITS - 1
    return np.stack([a, b, c - a * x - b * y, -b, a, f + b * x - a * y])


def _find_steps(
    inks: _Inks, y: np.ndarray, gaps: np.ndarray, height: int
) -> np.ndarray:
    """Finds how far each ink's left end is from that of the one before it."""
    patch_height = inks.first.shape[1] - 1
    rows = np.arange(height) - y[:, None]
    rows = np.where((rows >= 0) & (rows < patch_height), rows, patch_height)
    first = np.take_along_axis(inks.first, rows, axis=1) - inks.left[:, None]
    last = np.take_along_axis(inks.last, rows, axis=1) - inks.left[:, None]
    previous = np.roll(last, 1, axis=0)
    nearest = (first - previous).min(axis=1)
    before = np.roll(inks.width, 1)
    # Without a common row, their boxes have the distance.
    apart = nearest > _FAR // 2
    return np.where(apart, before, 1 - nearest) + gaps
