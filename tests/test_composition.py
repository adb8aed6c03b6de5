import numpy as np
import pytest

from seqdigits_tfds import composition

LENGTHS = [2, 4, 5]
GLYPH_IDS = [
    [324, 309, -1, -1, -1],
    [640, 51, 726, 593, -1],
    [463, 50, 656, 630, 98],
]


def plan(start, stop, *, seed=101, split="train", max_digits=5, pool=None):
    return composition.plan_examples(
        start,
        stop,
        seed=seed,
        split=split,
        pool=np.arange(1_000) if pool is None else pool,
        max_digits=max_digits,
    )


def test_the_first_examples_never_change():
    first = plan(0, 3)
    assert first.lengths.tolist() == LENGTHS
    assert first.glyph_ids.tolist() == GLYPH_IDS


@pytest.mark.parametrize("max_digits", [1, 3, 4, 5, 8])
def test_each_example_can_be_computed_independently(max_digits):
    together = plan(0, 50, max_digits=max_digits)
    for index in range(50):
        alone = plan(index, index + 1, max_digits=max_digits)
        assert alone.lengths == together.lengths[index]
        assert (alone.glyph_ids == together.glyph_ids[index]).all()


def test_positions_after_the_last_digit_are_empty():
    examples = plan(0, 1_000)
    empty = np.arange(5) >= examples.lengths[:, None]
    assert ((examples.glyph_ids == composition.NO_GLYPH) == empty).all()


def test_digits_come_from_the_pool_and_all_of_it_is_used():
    pool = np.array([3, 8, 9, 40])
    used = plan(0, 1_000, pool=pool).glyph_ids
    assert set(np.unique(used)) == {composition.NO_GLYPH, *pool.tolist()}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"seed": 0}, {"seed": 1}),
        ({"split": "train"}, {"split": "test"}),
        ({"seed": 1, "split": "0"}, {"seed": 0, "split": "1"}),
    ],
)
def test_seeds_and_splits_have_independent_random_numbers(first, second):
    a, b = plan(0, 2_000, **first), plan(0, 2_000, **second)
    # By chance, a fifth of the lengths agree.
    assert 0.1 < (a.lengths == b.lengths).mean() < 0.3


def test_no_two_examples_share_random_numbers():
    rows = plan(0, 20_000, pool=np.arange(2**24)).glyph_ids
    rows = rows[rows != composition.NO_GLYPH]
    # About 107 of 60,000 draws from 2**24 are repeated by chance.
    assert len(rows) - len(np.unique(rows)) < 200
