"""Finds lines of shapes, such as digits, in a map of ink."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import numpy as np
from scipy import ndimage

from seqdigits_tfds import InputError

_INK = 0.4
"""Least ink of a shape's pixels, relative to the darkest ink."""

_DARKEST_INK = 0.7
"""Least ink of a shape's darkest pixel; shadows and smudges have less."""

_OVERLAP = 0.4
"""Overlap from which two extents belong together, relative to the smaller."""

_LOWEST_SHAPE = 0.4
"""Least height of a shape, relative to the tallest one of its line."""

_LOWEST_LINE = 0.25
"""Least height of a line, relative to the highest one; otherwise it is part of
another line, such as the upper stroke of a 5."""

_LARGEST_SPECK = 0.1
"""Greatest size of specks, relative to the highest part."""

_MOST_SHAPES = 200
"""Largest number of shapes in a picture."""


@dataclasses.dataclass(frozen=True)
class Box:
    """A part of a picture.

    Attributes:
      left: First column.
      top: First row.
      right: Column after the last one.
      bottom: Row after the last one.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    def scale(self, factor: float) -> Self:
        """Returns the same part of a picture of another size."""
        edges = dataclasses.astuple(self)
        return type(self)(*(round(factor * edge) for edge in edges))

    @classmethod
    def around(cls, boxes: Iterable[Self]) -> Self:
        """Returns the smallest box that contains others."""
        edges = np.array([dataclasses.astuple(box) for box in boxes])
        return cls(
            *map(int, edges[:, :2].min(0)), *map(int, edges[:, 2:].max(0))
        )


@dataclasses.dataclass(frozen=True)
class Shape:
    """Ink that belongs together: a digit, or several that touch.

    Attributes:
      box: Where it is.
      ink: The amount of ink, float64 [height, width], 0 to 1; that of other
        shapes is left out.
    """

    box: Box
    ink: np.ndarray

    def divide(self, num_parts: int) -> list[Box]:
        """Divides its box into parts from left to right, where ink is least."""
        columns = self.ink.sum(axis=0)
        width = len(columns) / num_parts
        reach = max(round(width / 3), 1)
        edges = [0]
        for part in range(1, num_parts):
            begin = max(round(part * width) - reach, edges[-1] + 1)
            begin = min(begin, len(columns) - 1)
            end = max(round(part * width) + reach, begin + 1)
            edges.append(begin + int(np.argmin(columns[begin:end])))
        edges.append(len(columns))
        boxes = []
        for begin, end in itertools.pairwise(edges):
            (rows,) = np.nonzero((self.ink[:, begin:end] > _INK).any(axis=1))
            top, bottom = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
            boxes.append(
                Box(
                    self.box.left + begin,
                    self.box.top + int(top),
                    self.box.left + end,
                    self.box.top + int(bottom),
                )
            )
        return boxes


def find_lines(ink: np.ndarray) -> list[list[Shape]]:
    """Finds shapes.

    Parts above each other belong to the same shape. Shapes that are much lower
    than the highest one of their line are left out.

    Args:
      ink: The amount of ink, float64 [height, width], 0 to 1.

    Returns:
      The shapes of each line, at least one, from left to right; the lines, at
      least one, from top to bottom.

    Raises:
      InputError: If a shape fills the picture, or there are more than 200.
    """
    labels, num_parts = ndimage.label(ink > _INK, structure=np.ones((3, 3)))
    darkest = ndimage.maximum(ink, labels, range(1, num_parts + 1))
    parts = [
        _Part({label}, Box(x.start, y.start, x.stop, y.stop))
        for label, (y, x) in enumerate(ndimage.find_objects(labels), 1)
        if darkest[label - 1] >= _DARKEST_INK
    ]
    size = _LARGEST_SPECK * max(part.box.height for part in parts)
    parts = [p for p in parts if max(p.box.height, p.box.width) >= size]
    if len(parts) > _MOST_SHAPES:
        raise InputError(
            f"expected at most {_MOST_SHAPES} digits, found {len(parts)}"
            " separate shapes; crop the picture"
        )
    return [
        [_cut_out(part, ink, labels) for part in _find_shapes(line)]
        for line in _find_rows(parts)
    ]


@dataclasses.dataclass(frozen=True)
class _Part:
    """Ink that is connected, or such parts that belong together."""

    labels: set[int]
    box: Box

    @classmethod
    def union(cls, parts: Sequence[Self]) -> Self:
        return cls(
            set().union(*(part.labels for part in parts)),
            Box.around(part.box for part in parts),
        )


def _find_rows(parts: list[_Part]) -> list[list[_Part]]:
    """Divides parts into lines, from top to bottom."""
    rows = _group(parts, lambda box: (box.top, box.bottom))
    boxes = [Box.around(part.box for part in row) for row in rows]
    lowest = _LOWEST_LINE * max(box.height for box in boxes)
    lines = [i for i, box in enumerate(boxes) if box.height >= lowest]
    for i, row in enumerate(rows):
        if i not in lines:
            nearest = min(
                lines,
                key=lambda j: max(
                    boxes[j].top - boxes[i].bottom,
                    boxes[i].top - boxes[j].bottom,
                ),
            )
            rows[nearest].extend(row)
    return [rows[i] for i in lines]


def _find_shapes(line: list[_Part]) -> list[_Part]:
    groups = _group(line, lambda box: (box.left, box.right))
    shapes = [_Part.union(group) for group in groups]
    highest = max(shape.box.height for shape in shapes)
    return [s for s in shapes if s.box.height > _LOWEST_SHAPE * highest]


def _group(
    parts: Iterable[_Part], get_extent: Callable[[Box], tuple[int, int]]
) -> list[list[_Part]]:
    """Groups parts whose extents overlap, in the order of the extents."""
    groups: list[tuple[int, int, list[_Part]]] = []
    for part in parts:
        begin, end = get_extent(part.box)
        members = [part]
        for group in list(groups):
            overlap = min(end, group[1]) - max(begin, group[0])
            if overlap > _OVERLAP * min(end - begin, group[1] - group[0]):
                groups.remove(group)
                begin, end = min(begin, group[0]), max(end, group[1])
                members += group[2]
        groups.append((begin, end, members))
    return [group[2] for group in sorted(groups, key=lambda group: group[:2])]


def _cut_out(part: _Part, ink: np.ndarray, labels: np.ndarray) -> Shape:
    """Cuts out a shape, with its soft edge, which is below the threshold."""
    box = part.box
    if (box.height, box.width) == ink.shape:
        raise InputError(
            "expected digits on a plain background, found a shape that fills"
            " the picture"
        )
    inside = np.s_[box.top : box.bottom, box.left : box.right]
    is_shape = np.isin(labels[inside], list(part.labels))
    near = ndimage.binary_dilation(is_shape, iterations=2)
    return Shape(box, np.where(near, ink[inside], 0))
