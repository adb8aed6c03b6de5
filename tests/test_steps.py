import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.regularizers import L2
from scipy import special

from trainer.model.steps import make_train_steps

BATCH_SIZE = 4


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    images = keras.Input((2, 2, 1), dtype="uint8")
    x = keras.layers.Flatten()(images)
    x = keras.layers.Dense(2 * 3)(x)
    return keras.Model(images, keras.layers.Reshape((1, 2, 3))(x))


def keep(images, positions):
    return images


def train(model, optimizer, num_steps=1, augment=keep, **settings):
    """Trains on one repeated batch.

    Returns the change of the weights, and the result of the training steps.
    """
    optimizer.build(model.trainable_variables)
    strategy = tf.distribute.get_strategy()
    images = np.arange(BATCH_SIZE * 4).reshape(BATCH_SIZE, 2, 2, 1)
    labels = np.arange(BATCH_SIZE * 2).reshape(BATCH_SIZE, 2) % 3
    batches = tf.data.Dataset.from_tensors(
        (
            tf.range(BATCH_SIZE, dtype=tf.int64),
            {
                "image": tf.constant(images, tf.uint8),
                "label": tf.constant(labels, tf.int64),
            },
        )
    ).repeat()
    before = np.concatenate([w.ravel() for w in model.get_weights()])
    train_steps = make_train_steps(
        strategy, model, optimizer, BATCH_SIZE, augment, **settings
    )
    figures = train_steps(
        iter(batches),
        tf.constant(num_steps),
        tf.constant((10.0, 20.0)),
        tf.constant(0.0),
    )
    after = np.concatenate([w.ravel() for w in model.get_weights()])
    return after - before, figures


def test_each_step_adds_to_the_sums(model):
    _, figures = train(model, keras.optimizers.SGD(0.0), num_steps=3)
    loss, accuracy = figures["sums"].numpy() - (10, 20)
    _, once = train(model, keras.optimizers.SGD(0.0))
    once = once["sums"].numpy() - (10, 20)
    assert loss == pytest.approx(3 * once[0], rel=1e-5)
    assert 0 <= accuracy <= 3
    assert figures["stop"] == 0
    assert 0 <= figures["sampled_input_wait"] < 60


def test_labels_are_smoothed_and_logits_divided(model):
    images = np.arange(BATCH_SIZE * 4).reshape(BATCH_SIZE, 2, 2, 1)
    labels = np.arange(BATCH_SIZE * 2).reshape(BATCH_SIZE, 1, 2) % 3
    logits = model(tf.constant(images, tf.uint8)).numpy()
    wanted = 0.7 * np.eye(3)[labels] + 0.3 / 3
    losses = -(wanted * special.log_softmax(logits / 2, axis=-1)).sum(-1)
    _, figures = train(
        model, keras.optimizers.SGD(0.0), label_smoothing=0.3, temperature=2.0
    )
    expected = 10 + losses.sum() / BATCH_SIZE
    assert figures["sums"][0].numpy() == pytest.approx(expected, rel=1e-5)


def test_images_are_augmented_by_position(model):
    calls = []

    def augment(images, positions):
        calls.append((images.shape, positions.shape))
        return images * 0 + tf.cast(positions, tf.uint8)[:, None, None, None]

    weights = model.get_weights()
    change, _ = train(model, keras.optimizers.SGD(1e-3), augment=augment)
    assert calls == [((BATCH_SIZE, 2, 2, 1), (BATCH_SIZE,))]
    model.set_weights(weights)
    other, _ = train(model, keras.optimizers.SGD(1e-3))
    assert (change != other).any()


def test_members_of_an_ensemble_are_trained_independently():
    keras.utils.set_random_seed(0)
    images = keras.Input((2, 2, 1), dtype="uint8")
    x = keras.layers.Flatten()(images)
    members = [
        keras.layers.Reshape((1, 2, 3))(keras.layers.Dense(2 * 3)(x))
        for _ in range(2)
    ]
    together = keras.Model(images, keras.ops.concatenate(members, axis=1))
    weights = together.get_weights()
    change, figures = train(together, keras.optimizers.SGD(1e-3))
    together.set_weights(weights)
    each = [
        train(keras.Model(images, member), keras.optimizers.SGD(1e-3))
        for member in members
    ]
    changes = np.concatenate([alone for alone, _ in each])
    np.testing.assert_allclose(change, changes, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        figures["sums"],
        np.mean([f["sums"] for _, f in each], axis=0),
        rtol=1e-6,  # The precision of float32.
    )


@pytest.mark.parametrize("num_members", [1, 2])
def test_regularization_is_part_of_the_loss(model, num_members):
    weights = model.get_weights()
    change, figures = train(model, keras.optimizers.SGD(1e-3))
    model.set_weights(weights)
    kernel = weights[0]
    images = keras.Input((2, 2, 1), dtype="uint8")
    x = keras.layers.Flatten()(images)
    members = []
    for _ in range(num_members):
        dense = keras.layers.Dense(2 * 3, kernel_regularizer=L2(0.1))
        members.append(keras.layers.Reshape((1, 2, 3))(dense(x)))
        dense.set_weights(weights)
    together = keras.Model(images, keras.ops.concatenate(members, axis=1))
    regularized, figures_then = train(together, keras.optimizers.SGD(1e-3))
    expected = np.zeros_like(change)
    expected[: kernel.size] = -1e-3 * 2 * 0.1 * kernel.ravel()
    for part in np.split(regularized, num_members):
        np.testing.assert_allclose(part - change, expected, atol=1e-6)
    assert abs(expected).max() > 1e-5
    penalty = 0.1 * (kernel**2).sum()
    added = figures_then["sums"][0] - figures["sums"][0]
    assert added.numpy() == pytest.approx(penalty, rel=1e-4)


def test_variables_without_gradient_stay(model):
    extra = keras.layers.Dense(6)
    images = keras.Input((2, 2, 1), dtype="uint8")
    unused = extra(keras.layers.Flatten()(images))
    logits = model(images) + keras.ops.reshape(
        keras.ops.stop_gradient(unused), (-1, 1, 2, 3)
    )
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3))
    before = extra.get_weights()
    change, _ = train(keras.Model(images, logits), optimizer)
    assert abs(change).max() > 0
    for value, old in zip(extra.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_scaling_the_loss_changes_nothing(model):
    weights = model.get_weights()
    plain, _ = train(model, keras.optimizers.SGD(1e-3))
    model.set_weights(weights)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3))
    scaled, _ = train(model, optimizer)
    assert np.linalg.norm(plain) > 1e-3
    np.testing.assert_allclose(scaled, plain, atol=1e-6)


def test_a_step_that_overflows_is_skipped(model):
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(1e-3), initial_scale=2.0**127
    )
    change, _ = train(model, optimizer)
    assert (change == 0).all()
    assert optimizer.dynamic_scale.numpy() == 2.0**126


def test_layers_are_in_training_mode(model):
    """Batch normalization updates its statistics."""
    images = keras.Input((2, 2, 1), dtype="uint8")
    x = keras.layers.Flatten()(images)
    normalization = keras.layers.BatchNormalization(momentum=0.0)
    x = keras.layers.Dense(2 * 3)(normalization(x))
    normalized = keras.Model(images, keras.layers.Reshape((1, 2, 3))(x))
    train(normalized, keras.optimizers.SGD(0.0))
    expected = np.arange(BATCH_SIZE * 4).reshape(BATCH_SIZE, 4).mean(axis=0)
    np.testing.assert_allclose(normalization.moving_mean, expected)
