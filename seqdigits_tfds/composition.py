"""Which digits example i consists of: a pure function of (seed, split, i)."""

import dataclasses
import enum

import numpy as np

from seqdigits_tfds.randomness import draw_words, to_integers

NO_GLYPH = -1
"""Glyph id of a position after the last digit."""


class Numbers(enum.Enum):
    """Which numbers, that is sequences of classes, a split may contain.

    A number is withheld if it has at least two digits, and the sum of their
    classes is divisible by the number of classes. That is one in ten for
    decimal digits: 19, 28, 55, 127, ... The last digit is drawn from the
    classes that remain.
    """

    ALL = "all"
    SEEN = "all but withheld ones"
    UNSEEN = "withheld ones only"


class Pool:
    """The digits that a split may use.

    Args:
      rows: int64 [p], rows of the glyph source.
      labels: int64 [p], their classes.
      num_classes: Number of classes.
    """

    def __init__(
        self, rows: np.ndarray, labels: np.ndarray, num_classes: int
    ) -> None:
        self.rows = rows
        self.num_classes = num_classes
        order = np.argsort(labels, kind="stable")
        self.labels = labels
        self.rows_by_class = rows[order]
        self.counts = np.bincount(labels, minlength=num_classes)
        self.starts = np.cumsum(self.counts) - self.counts

    def __len__(self) -> int:
        return len(self.rows)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Lengths and digits of n examples.

    Attributes:
      lengths: int64 [n], number of digits.
      glyph_ids: int64 [n, num_positions], row of the glyph source of each
        digit, left-aligned and padded with `NO_GLYPH`.
    """

    lengths: np.ndarray
    glyph_ids: np.ndarray


def plan_examples(
    indices: np.ndarray,
    *,
    seed: int,
    split: str,
    pool: Pool,
    min_digits: int,
    max_digits: int,
    num_positions: int,
    numbers: Numbers = Numbers.ALL,
) -> Plan:
    """Draws the lengths and digits of some examples.

    Lengths are uniform over min_digits..max_digits, digits uniform over `pool`
    with replacement.

    Args:
      indices: int64 [n], at least 0.
      seed: The dataset's seed.
      split: Name of the split; each split has its own random stream.
      pool: The digits that the split may use.
      min_digits: Smallest number of digits.
      max_digits: Largest number of digits, at most `num_positions`.
      num_positions: Number of positions of a padded sequence.
      numbers: The numbers that may occur.

    Returns:
      The plan of the `n` examples.
    """
    # One word for the length and one for each position, used or not, so that
    # an example's words don't depend on the lengths of other examples.
    words = draw_words(seed, split, indices, 1 + num_positions)
    lengths = to_integers(words[:, 0], min_digits, max_digits)
    places = to_integers(words[:, 1:], 0, len(pool) - 1)
    rows = pool.rows[places]
    if numbers is not Numbers.ALL:
        _replace_last_digits(rows, places, words[:, 1:], lengths, pool, numbers)
    used = np.arange(num_positions) < lengths[:, None]
    return Plan(lengths=lengths, glyph_ids=np.where(used, rows, NO_GLYPH))


def _replace_last_digits(
    rows: np.ndarray,
    places: np.ndarray,
    words: np.ndarray,
    lengths: np.ndarray,
    pool: Pool,
    numbers: Numbers,
) -> None:
    """Draws the last digit of each sequence of at least two again."""
    examples = np.flatnonzero(lengths >= 2)
    last = lengths[examples] - 1
    before = np.arange(rows.shape[1]) < last[:, None]
    sums = (pool.labels[places[examples]] * before).sum(axis=1)
    # With this class, the number is a withheld one.
    classes = -sums % pool.num_classes
    starts, counts = pool.starts[classes], pool.counts[classes]
    word = words[examples, last]
    if numbers is Numbers.UNSEEN:
        chosen = starts + (word % counts.astype(np.uint64)).astype(np.int64)
    else:
        # The rows of a class are contiguous: skip them.
        others = (len(pool) - counts).astype(np.uint64)
        chosen = (word % others).astype(np.int64)
        chosen += counts * (chosen >= starts)
    rows[examples, last] = pool.rows_by_class[chosen]
