"""Finds the ink in pictures of paper."""

import numpy as np
from PIL import Image
from scipy import ndimage

from seqdigits_tfds import InputError

_WORKING_SIZE = 640
"""Longest side, in pixels, of the picture in which ink is searched for."""

_MIN_CONTRAST = 24
"""Smallest contrast between ink and background, out of 255."""

_FAINTEST_RULE = 0.12
"""Least ink of the rules of ruled paper, relative to the darkest ink."""

_STEEPEST_RULE = 0.06
"""Largest slope of rules, 3.4 degrees."""

_SHORTEST_RULE = 0.85
"""Least length of rules, relative to the picture's side."""

_THICKEST_RULE = 0.015
"""Greatest thickness of rules, relative to the picture's longer side."""


def _to_grey(picture: Image.Image) -> np.ndarray:
    """Returns uint8 [height, width]; transparency becomes background."""
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


def measure_border(grey: np.ndarray) -> float:
    """Returns the median brightness of the border of a picture, [h, w]."""
    border = [grey[0], grey[-1], grey[:, 0], grey[:, -1]]
    return float(np.median(np.concatenate(border)))


def find_ink(picture: Image.Image) -> np.ndarray:
    """Finds the ink in a picture of paper.

    Paper is neither pure white nor evenly lit, but its brightness is the same
    over areas that are wider than strokes, also in shadows. The rules of ruled
    and squared paper are removed.

    Args:
      picture: Any mode and size; dark on light, or light on dark.

    Returns:
      The amount of ink, float64 [height, width], 0 to 1, in the upright
      picture, of which the longer side has at most 640 pixels.

    Raises:
      InputError: If the picture has no contrast.
    """
    small = Image.fromarray(_to_grey(picture))
    small.thumbnail((_WORKING_SIZE, _WORKING_SIZE), Image.Resampling.BOX)
    values = np.asarray(small, np.float64)
    size = max(values.shape) // 4 + 1
    inside = np.s_[size:-size, size:-size]
    padded = np.pad(values, size, mode="edge")
    paper = ndimage.grey_closing(padded, size=size)[inside]
    night = ndimage.grey_opening(padded, size=size)[inside]
    if _is_paper_light(values, paper, night):
        # In a shadow, ink and paper differ less.
        ink = (paper - values) * (255 / np.maximum(paper, 64))
    else:
        ink = values - night
    ink = _remove_rules(ndimage.gaussian_filter(np.maximum(ink, 0), 0.7))
    if ink.max() < _MIN_CONTRAST:
        raise InputError("expected digits, found a picture without contrast")
    return np.minimum(ink / ink.max(), 1)


def _is_paper_light(
    values: np.ndarray, paper: np.ndarray, night: np.ndarray
) -> bool:
    """Returns whether the ink is darker than the paper.

    Args:
      values: The picture, float64 [height, width].
      paper: The picture without thin dark shapes.
      night: The picture without thin light shapes.
    """
    border = measure_border(values)
    if border >= 128:
        return True
    if border < values.min() + 0.2 * np.ptp(values):
        return False
    # Paper in a shadow, or coloured: there is less ink than paper.
    return bool((paper - values).sum() < (values - night).sum())


def _remove_rules(ink: np.ndarray) -> np.ndarray:
    """Removes the rules of ruled and squared paper.

    Rules are thin and run from side to side. So may strokes of digits that fill
    the picture; upright rules are therefore removed only if there are several,
    and level ones besides.
    """
    rules, num_rules = _find_rules(ink)
    if num_rules:
        ink = _erase(ink, rules)
        rules, num_rules = _find_rules(ink.T)
        if num_rules > 1:
            ink = _erase(ink.T, rules).T
    return ink


def _find_rules(ink: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns which pixels belong to level rules, and the number of rules."""
    height, width = ink.shape
    is_ink = ink > _FAINTEST_RULE * ink.max()
    columns = np.arange(width)
    is_rule = np.zeros_like(is_ink)
    steps = round(_STEEPEST_RULE * width / 2)
    for rise in 2 * np.arange(-steps, steps + 1):
        # Rows of this slope, those from outside the picture without ink.
        rows = np.arange(height)[:, None] + np.round(
            rise * (columns / width - 0.5)
        ).astype(int)
        inside = (rows >= 0) & (rows < height)
        sloping = is_ink[np.clip(rows, 0, height - 1), columns] & inside
        is_full = sloping.sum(axis=1) >= _SHORTEST_RULE * inside.sum(axis=1)
        runs, _ = ndimage.label(is_full & (inside.mean(axis=1) > 0.1))
        for (run,) in ndimage.find_objects(runs):
            if run.stop - run.start <= _THICKEST_RULE * max(ink.shape):
                seen = inside[run]
                is_rule[rows[run][seen], np.nonzero(seen)[1]] = True
    _, num_rules = ndimage.label(is_rule, structure=np.ones((3, 3)))
    return is_rule, num_rules


def _erase(ink: np.ndarray, is_rule: np.ndarray) -> np.ndarray:
    """Removes level rules, but not the strokes that cross them."""
    # What is darker than the rules is a stroke, even along them.
    is_stroke = ink > 1.5 * np.median(ink[is_rule])
    is_rule = ndimage.binary_dilation(is_rule, np.ones((5, 1))) & ~is_stroke
    rest = np.where(is_rule, 0, ink)
    gap = round(_THICKEST_RULE * max(ink.shape)) + 5
    crossing = ndimage.grey_closing(rest, size=(gap, 1))
    return np.where(is_rule, np.minimum(crossing, ink), ink)
