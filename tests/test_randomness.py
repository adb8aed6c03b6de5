"""The random streams of a run, and the orders of its epochs."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from trainer.data.randomness import Purpose, draw, permute

WORDS = [13845808141651690948, 18243906178183031126]
ROWS = [39476, 40866]
NORMAL = [[0.77196860, -0.24214101], [1.11812508, -1.05154312]]

SIZES = [1, 2, 97, 480, 60_000]


def read_epochs(seed, num_rows, num_epochs, first_epoch=0):
    """Returns rows [epoch, place]."""
    positions = np.arange(num_rows * num_epochs) + first_epoch * num_rows
    rows = permute(seed, tf.constant(positions), num_rows)
    return rows.numpy().reshape(num_epochs, num_rows)


@pytest.mark.parametrize("num_rows", SIZES)
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_each_epoch_is_a_permutation(num_rows, seed):
    for first_epoch in (0, 10**6):
        epochs = read_epochs(seed, num_rows, 5, first_epoch)
        assert (np.sort(epochs) == np.arange(num_rows)).all()


def test_a_split_may_have_any_number_of_rows():
    num_rows = 10**9
    positions = tf.constant([0, 1, num_rows - 1, num_rows, 5 * num_rows + 7])
    rows = permute(3, tf.cast(positions, tf.int64), num_rows).numpy()
    assert len(set(rows.tolist())) == 5
    assert ((rows >= 0) & (rows < num_rows)).all()


def z_scores(a, b):
    """Returns the correlations of the rows of a and b, in standard errors."""
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    norms = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return (a * b).sum(axis=1) / norms * np.sqrt(a.shape[1] - 1)


def sum_of_squares_p_value(scores):
    """Returns how probable such scores are, if they are standard normal."""
    tail = scipy.stats.chi2(len(scores)).sf((scores**2).sum())
    return 2 * min(tail, 1 - tail)


@pytest.mark.parametrize("num_rows", [97, 480, 60_000])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_orders_are_not_correlated(num_rows, seed):
    epochs = read_epochs(seed, num_rows, 100).astype(float)
    identity = np.tile(np.arange(num_rows, dtype=float), (100, 1))
    for a, b in (
        (epochs[:-1], epochs[1:]),
        (epochs[:, :-1], epochs[:, 1:]),
        (epochs, identity),
    ):
        assert sum_of_squares_p_value(z_scores(a, b)) > 1e-3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_orders_of_few_rows_occur(seed):
    first_of_two = read_epochs(seed, 2, 1_000)[:, 0]
    assert scipy.stats.binomtest(int(first_of_two.sum()), 1_000).pvalue > 1e-3
    epochs = read_epochs(seed, 97, 1_000)
    for place in (0, 50, 96):
        counts = np.bincount(epochs[:, place], minlength=97)
        assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_neighbouring_seeds_have_unrelated_orders():
    epochs = np.concatenate(
        [read_epochs(seed, 480, 1) for seed in range(1_001)]
    ).astype(float)
    scores = z_scores(epochs[:-1], epochs[1:])
    assert sum_of_squares_p_value(scores) > 1e-3


@pytest.mark.parametrize("shape", [[1], [3], [2, 5, 13]])
@pytest.mark.parametrize("dtype", [tf.float32, tf.uint64])
def test_numbers_are_a_function_of_the_position(shape, dtype):
    def draw_at(start, stop, seed=1, purpose=Purpose.DISTORTION):
        positions = tf.range(start, stop, dtype=tf.int64)
        return draw(seed, purpose, positions, shape, dtype).numpy()

    whole = draw_at(0, 50)
    assert whole.shape == (50, *shape)
    # Of 6,500 floats, a few are equal by chance.
    assert len(np.unique(whole)) > 0.99 * whole.size
    for start, stop in ((0, 1), (7, 20), (49, 50)):
        assert (draw_at(start, stop) == whole[start:stop]).all()
    far = 3 * 10**12
    assert (draw_at(far, far + 9)[4:] == draw_at(far + 4, far + 9)).all()
    for other in (
        draw_at(0, 50, seed=2),
        draw_at(0, 50, purpose=Purpose.ORDER),
        draw_at(50, 100),
    ):
        assert np.isin(other, whole).mean() < 0.01


def test_the_streams_never_change():
    """Every published result depends on them."""
    assert [purpose.value for purpose in Purpose] == [0, 2]
    positions = tf.range(7, 9, dtype=tf.int64)
    words = draw(3, Purpose.DISTORTION, positions, [1], tf.uint64)
    assert words.numpy().ravel().tolist() == WORDS
    assert permute(3, positions, 60_000).numpy().tolist() == ROWS
    normal = draw(3, Purpose.DISTORTION, positions, [2], tf.float32)
    np.testing.assert_allclose(normal, NORMAL, rtol=1e-5)
