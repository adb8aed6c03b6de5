"""Confidence intervals of accuracies whose errors are not independent.

One unreadable digit makes each sequence wrong in which it stands, so n
sequences say less than n independent ones. The variance of the accuracy is
estimated from all pairs of sequences that share a digit image (Aronow, Samii
and Assenova, "Cluster-robust variance estimation for dyadic data", Political
Analysis, 2015). It gives the number of independent sequences that would have
the same variance, and Wilson's score interval for that number.
"""

from typing import Any

import numpy as np
from scipy import sparse

_Z = 1.959964
"""Quantile of the normal distribution, for 95 %."""


def find_interval(correct: np.ndarray, groups: np.ndarray) -> list[float]:
    """Returns the 95 % confidence interval of an accuracy.

    Args:
      correct: bool [n], n >= 1.
      groups: int [n, k], the groups to which each answer belongs; those in a
        common group may be right or wrong together. -1 for no group.

    Returns:
      Its lower and upper end, 0..1.
    """
    n, accuracy = len(correct), correct.mean()
    rows, columns = np.nonzero(groups >= 0)
    _, members = np.unique(groups[rows, columns], return_inverse=True)
    belongs = sparse.csr_array(
        (np.ones(len(rows)), (rows, members)),
        shape=(n, members.max(initial=0) + 1),
    )
    belongs.sum_duplicates()
    belongs.data[:] = 1
    errors = correct - accuracy
    independent = errors @ errors
    # Over all pairs of a common group. An answer is a pair with itself once,
    # not once for each of its groups.
    in_groups = belongs.T @ errors
    own = (errors**2) @ (belongs.sum(axis=1) - 1)
    # At least what independent answers have: an estimate may be smaller.
    ratio = max(1.0, (in_groups @ in_groups - own) / max(independent, 1e-12))
    return _wilson(accuracy, n / ratio)


def _wilson(share: float, n: float) -> list[float]:
    center = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    width = np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    width *= _Z / (1 + _Z**2 / n)
    return [
        float(np.clip(end, 0, 1)) for end in (center - width, center + width)
    ]


def find_intervals(
    correct: np.ndarray, labels: np.ndarray, glyph_ids: np.ndarray, blank: int
) -> dict[str, Any]:
    """Returns the 95 % confidence intervals of the accuracies of a split.

    Args:
      correct: bool [n, positions], whether each position was read right.
      labels: int [n, positions].
      glyph_ids: int [n, positions], the digit images; -1 for a blank.
      blank: The class of a blank.

    Returns:
      The intervals of `sequence_accuracy`, `individual_accuracy`, `by_length`,
      `by_position` and `by_digit`, in the structure of `metrics.Metrics`.
    """
    n, positions = labels.shape
    all_correct = np.asarray(correct.all(axis=1))
    lengths = (labels != blank).sum(axis=1)
    # A position is in the groups of its digit image and of its sequence.
    sequences = np.repeat(np.arange(n), positions)
    groups = np.stack(
        [glyph_ids.ravel(), glyph_ids.max() + 1 + sequences], axis=1
    )
    return {
        "sequence_accuracy": find_interval(all_correct, glyph_ids),
        "individual_accuracy": find_interval(correct.ravel(), groups),
        "by_length": {
            str(length): find_interval(
                all_correct[lengths == length], glyph_ids[lengths == length]
            )
            for length in np.unique(lengths)
        },
        "by_position": [
            find_interval(column, ids[:, None])
            for column, ids in zip(correct.T, glyph_ids.T, strict=True)
        ],
        "by_digit": {
            "blank" if digit == blank else str(digit): find_interval(
                correct[labels == digit],
                groups[labels.ravel() == digit],
            )
            for digit in np.unique(labels)
        },
    }
