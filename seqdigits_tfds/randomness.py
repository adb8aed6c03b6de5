"""The random words of example i: a pure function of (seed, split, i).

They come from Philox, a counter-based generator (Salmon et al., "Parallel
random numbers: as easy as 1, 2, 3", SC'11). Seed, split and purpose determine
its key, and the example's index its counter. The words of an example can
therefore be computed without those of any other. Only the generator's raw
output is used: NumPy guarantees that it stays the same across versions, but not
the distributions built on it.
"""

import hashlib
from typing import Any

import numpy as np

_WORDS_PER_COUNT = 4
"""64-bit words that Philox4x64 produces for each value of its counter."""


def draw_words(
    seed: int,
    split: str,
    indices: np.ndarray,
    num_words: int,
    purpose: str = "",
) -> np.ndarray:
    """Draws the random words of some examples.

    Args:
      seed: The dataset's seed, at least 0.
      split: Name of the split.
      indices: int64 [n], at least 0, in any order.
      num_words: Number of words per example.
      purpose: Each purpose has its own stream; "" is that of the digits.

    Returns:
      uint64 [n, num_words], uniform.
    """
    name = "/".join(filter(None, ["seqdigits", str(seed), split, purpose]))
    key = hashlib.sha256(name.encode()).digest()[:16]
    generator = np.random.Philox(key=int.from_bytes(key, "little"))
    counts = -(-num_words // _WORDS_PER_COUNT)
    size = counts * _WORDS_PER_COUNT
    words = np.empty(len(indices) * size, np.uint64)
    # Consecutive examples have consecutive counters: one call for each run.
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    starts = [0, *breaks.tolist()] if len(indices) else []
    # Moving a generator takes a fifth of the time of creating one.
    state: Any = generator.state
    counter = state["state"]["counter"]
    for start, stop in zip(starts, [*starts[1:], len(indices)], strict=False):
        counter[0] = int(indices[start]) * counts
        generator.state = state
        words[start * size : stop * size] = generator.random_raw(
            (stop - start) * size
        )
    return words.reshape(-1, size)[:, :num_words]


def to_uniform(
    words: np.ndarray, low: float | np.ndarray, high: float | np.ndarray
) -> np.ndarray:
    """Maps words to float64 numbers, uniform over [low, high)."""
    return low + (words >> np.uint64(11)) * 2.0**-53 * (high - low)


def to_integers(words: np.ndarray, low: int, high: int) -> np.ndarray:
    """Maps words to int64 numbers, uniform over low..high.

    The bias of a plain remainder is below 1e-14 with 64-bit words.
    """
    return low + (words % np.uint64(high - low + 1)).astype(np.int64)
