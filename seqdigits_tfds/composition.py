"""The digits of example i: a pure function of (seed, split, i).

Random numbers come from Philox, a counter-based generator (Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", SC'11). Seed and split determine
its key, and the example's index its counter. Each example can therefore be
computed independently, and any range of examples in one call. The number of
examples never changes the result. Only the generator's raw output is used:
NumPy guarantees that it stays the same across versions, but not the
distributions built on it.
"""

import dataclasses
import hashlib

import numpy as np

BLANK = 10
"""Class of a position after the last digit."""

NO_GLYPH = -1
"""Glyph id of a position after the last digit."""

_WORDS_PER_BLOCK = 4
"""64-bit words that Philox4x64 produces per value of its counter."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Lengths and digits of the examples `start` to `stop - 1` of a split.

    Attributes:
      lengths: int64 [n], number of digits, 1..max_digits.
      glyph_ids: int64 [n, max_digits], row of the glyph source of each digit,
        left-aligned and padded with `NO_GLYPH`.
    """

    lengths: np.ndarray
    glyph_ids: np.ndarray


def plan_examples(
    start: int,
    stop: int,
    *,
    seed: int,
    split: str,
    pool: np.ndarray,
    max_digits: int,
) -> Plan:
    """Draws the lengths and digits of the examples `start` to `stop - 1`.

    Lengths are uniform over 1..max_digits, digits uniform over `pool` with
    replacement.

    Args:
      start: Index of the first example, at least 0.
      stop: Index after the last example.
      seed: The dataset's seed.
      split: Name of the split; each split has its own random stream.
      pool: int64 [p], rows of the glyph source that the split may use.
      max_digits: Number of positions.

    Returns:
      The plan of `stop - start` examples.
    """
    key = hashlib.sha256(f"seqdigits/{seed}/{split}".encode()).digest()[:16]
    # One word for the length and one for each position, used or not, so that
    # an example's words don't depend on the lengths of other examples.
    blocks = -(-(1 + max_digits) // _WORDS_PER_BLOCK)
    words_per_example = blocks * _WORDS_PER_BLOCK
    words = np.random.Philox(
        key=int.from_bytes(key, "little"), counter=start * blocks
    ).random_raw((stop - start) * words_per_example)
    words = words.reshape(-1, words_per_example)
    # The bias of a plain remainder is below 1e-14 with 64-bit words.
    lengths = 1 + (words[:, 0] % max_digits).astype(np.int64)
    rows = pool[words[:, 1 : 1 + max_digits] % len(pool)]
    used = np.arange(max_digits) < lengths[:, None]
    return Plan(lengths=lengths, glyph_ids=np.where(used, rows, NO_GLYPH))
