import numpy as np
import pytest
import tensorflow as tf

from trainer.model import metrics

LABELS = np.array([[1, 10, 10, 10, 10], [1, 2, 10, 10, 10], [3, 4, 10, 10, 10]])


def make_logits(predictions):
    return np.eye(11, dtype=np.float32)[predictions]


def test_accuracies_are_defined_as_in_the_notebook():
    predictions = LABELS.copy()
    predictions[1, 1] = 7  # A wrong digit.
    predictions[2, 4] = 0  # A digit instead of a blank.
    result = metrics.compute_metrics(make_logits(predictions), LABELS)
    assert result.num_images == 3
    assert result.individual_accuracy == pytest.approx(13 / 15)
    assert result.sequence_accuracy == pytest.approx(1 / 3)
    assert result.by_length == {"1": 1.0, "2": 0.0}
    assert result.by_digit == {
        **{"1": 1.0, "2": 0.0, "3": 1.0, "4": 1.0},
        "blank": 0.9,
    }
    assert result.by_position == pytest.approx([1, 2 / 3, 1, 1, 2 / 3])


def test_loss_is_the_cross_entropy_summed_over_positions():
    rng = np.random.default_rng(0)
    logits = 50 * rng.standard_normal((20, 5, 11)).astype(np.float32)
    labels = rng.integers(0, 11, (20, 5))
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    assert metrics.compute_metrics(logits, labels).loss == pytest.approx(
        float(tf.reduce_mean(tf.reduce_sum(expected, axis=1))), rel=1e-5
    )
