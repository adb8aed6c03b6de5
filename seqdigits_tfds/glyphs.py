"""Single glyphs, and the glyphs that each split may use.

A glyph source is one array of labelled images. The dataset's feature `glyph_id`
refers to its rows, and each split draws from its own rows.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import numpy as np
from PIL import Image

POOLS = ("train", "validation", "test")
"""Names of the pools: disjoint sets of rows."""

DIGITS = tuple(map(str, range(10)))

BLANK_NAME = "blank"
"""Name of the class of a position after the last glyph."""

Pools = Mapping[str, np.ndarray]
"""int64 rows by name of the pool, pairwise disjoint."""


class Settings(Protocol):
    """What a source needs to know; part of `SeqDigitsConfig`."""

    source: str
    source_splits: Mapping[str, str] | None
    glyph_size: int | None
    invert: bool


@dataclasses.dataclass(frozen=True)
class GlyphSource:
    """Labelled glyphs, and the rows that each split may use.

    Attributes:
      images: uint8 [n + 1, h, w], 0 = background, 255 = full ink. The last one
        is the blank, so `composition.NO_GLYPH`, -1, selects it.
      labels: int64 [n + 1], classes; that of the blank is the last.
      pools: Rows by name of the pool.
      class_names: Names of the classes, and of the blank.
    """

    images: np.ndarray
    labels: np.ndarray
    pools: Pools
    class_names: Sequence[str]

    @classmethod
    def make(
        cls,
        images: np.ndarray,
        labels: np.ndarray,
        pools: Pools,
        class_names: Sequence[str] = DIGITS,
    ) -> Self:
        """Appends the blank to images [n, h, w] and labels [n]."""
        blank = np.zeros_like(images[:1])
        return cls(
            images=np.concatenate([images, blank]),
            labels=np.append(labels, len(class_names)).astype(np.int64),
            pools=pools,
            class_names=(*class_names, BLANK_NAME),
        )


def divide_by_six(rows: np.ndarray) -> Pools:
    """Of every six rows, four go to `train`, and one to each other pool."""
    return {
        "train": rows[rows % 6 < 4],
        "validation": rows[rows % 6 == 4],
        "test": rows[rows % 6 == 5],
    }


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a grey image to (height, width) with Pillow's bilinear filter."""
    return np.asarray(
        Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    )
