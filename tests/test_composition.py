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
    return plan_indices(
        np.arange(start, stop),
        seed=seed,
        split=split,
        max_digits=max_digits,
        pool=pool,
    )


def plan_indices(indices, *, seed=101, split="train", max_digits=5, pool=None):
    rows = np.arange(1_000) if pool is None else pool
    return composition.plan_examples(
        indices,
        seed=seed,
        split=split,
        pool=composition.Pool(rows, rows % 10, 10),
        min_digits=1,
        max_digits=max_digits,
        num_positions=max_digits,
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
    shuffled = np.random.default_rng(0).permutation(50)
    in_any_order = plan_indices(shuffled, max_digits=max_digits)
    assert (in_any_order.lengths == together.lengths[shuffled]).all()
    assert (in_any_order.glyph_ids == together.glyph_ids[shuffled]).all()


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
