import numpy as np
import pytest
from scipy import stats

from trainer.model.intervals import find_interval


def test_independent_answers_have_wilsons_interval():
    correct = np.arange(300) >= 9
    wilson = stats.binomtest(291, 300).proportion_ci(method="wilson")
    for groups in (np.full((300, 1), -1), np.arange(300)[:, None]):
        assert find_interval(correct, groups) == pytest.approx(
            [wilson.low, wilson.high], abs=1e-6
        )


def test_answers_of_one_group_count_once():
    """Each answer is repeated ten times."""
    correct = np.repeat(np.arange(300) >= 9, 10)
    found = find_interval(correct, np.repeat(np.arange(300), 10)[:, None])
    wilson = stats.binomtest(291, 300).proportion_ci(method="wilson")
    assert found == pytest.approx([wilson.low, wilson.high], abs=1e-6)


@pytest.mark.parametrize("correct", [True, False])
def test_equal_answers_leave_doubt(correct):
    low, high = find_interval(np.full(50, correct), np.full((50, 2), -1))
    assert (low, high)[correct] == pytest.approx(float(correct))
    assert 0.05 < high - low < 0.1


@pytest.mark.parametrize("num_glyphs", [300, 10_000])
def test_intervals_contain_the_accuracy_95_times_in_100(num_glyphs):
    """Some digit images are hard, and stand in several sequences."""
    rng = np.random.default_rng(num_glyphs)
    n, share_hard, share_wrong = 4_000, 0.02, 0.8
    expected = np.mean(
        [(1 - share_hard * share_wrong) ** length for length in range(1, 6)]
    )
    num_inside = num_inside_wilson = 0
    for _ in range(200):
        is_hard = rng.random(num_glyphs) < share_hard
        lengths = rng.integers(1, 6, n)
        glyph_ids = np.where(
            np.arange(5) < lengths[:, None],
            rng.integers(0, num_glyphs, (n, 5)),
            -1,
        )
        is_wrong = is_hard[glyph_ids] & (rng.random((n, 5)) < share_wrong)
        correct = ~(is_wrong & (glyph_ids >= 0)).any(axis=1)
        low, high = find_interval(correct, glyph_ids)
        num_inside += low <= expected <= high
        low, high = find_interval(correct, np.full((n, 1), -1))
        num_inside_wilson += low <= expected <= high
    assert 178 <= num_inside <= 199
    assert num_inside_wilson < 178
