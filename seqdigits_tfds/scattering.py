"""The layout `scattered`: where each glyph of a sequence stands."""

import dataclasses

import numpy as np

from seqdigits_tfds.patches import (
    COORDINATE_BITS,
    draw_patches,
    find_extent,
    measure_inks,
    place_middles,
)
from seqdigits_tfds.randomness import draw_words, to_integers, to_uniform

_FAR = 1_000_000
"""More than the width of any image."""

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
    middles, widths, heights = measure_inks(sources, angles)
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
    matrices = np.rint(matrices * 2**COORDINATE_BITS).astype(np.int64)
    patches = draw_patches(
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
    transforms = place_middles(matrices, middles, center)
    scattered.transforms[examples, positions] = (
        transforms.T.reshape(-1, 2, 3) * 2.0**-COORDINATE_BITS
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
        first, after = find_extent(ink.reshape(-1, width))
        rows = (after > first).reshape(-1, height)
        self.top, self.bottom = find_extent(rows)
        self.left, self.right = find_extent(ink.any(axis=1))
        self.width = self.right - self.left
        self.first = np.full((len(patches), height + 1), _FAR)
        self.last = np.full((len(patches), height + 1), -_FAR)
        np.copyto(self.first[:, :-1], first.reshape(-1, height), where=rows)
        np.copyto(self.last[:, :-1], after.reshape(-1, height) - 1, where=rows)


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
