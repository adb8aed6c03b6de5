import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from trainer.model.normalization import prepare_for_training

IMAGES = np.random.default_rng(0).normal(5, 1, (128, 32, 32, 3))
IMAGES = tf.constant(IMAGES, tf.float32)


def make_models(**settings):
    """Returns a normalisation by Keras, and the same for training."""
    images = keras.Input((32, 32, 3))
    settings = {"synchronized": True, "momentum": 0.0, **settings}
    model = keras.Model(images, layers.BatchNormalization(**settings)(images))
    return model, prepare_for_training(model)


def measure_errors(model):
    """Returns the relative errors of mean and variance after a step."""
    model(IMAGES, training=True)
    values = IMAGES.numpy().astype(np.float64)
    means, variances = values.mean((0, 1, 2)), values.var((0, 1, 2))
    *_, mean, variance = model.variables
    return [
        abs(found.numpy() / wanted - 1).max()
        for found, wanted in ((mean, means), (variance, variances))
    ]


def test_statistics_are_more_exact_than_kerass():
    # If this fails for Keras, its own normalisation may be exact enough now.
    model, trained = make_models()
    assert max(measure_errors(trained)) < 5e-5
    assert max(measure_errors(model)) > 2e-4


@pytest.mark.parametrize("settings", [{}, {"scale": False, "center": False}])
def test_outputs_gradients_and_averages_are_kerass(settings):
    found = []
    for index in range(2):
        pair = make_models(momentum=0.75, **settings)
        for number, variable in enumerate(pair[0].variables):
            variable.assign(variable + 0.5 * number)
        with tf.GradientTape() as tape:
            tape.watch(IMAGES)
            outputs = pair[index](IMAGES, training=True)
            loss = tf.reduce_sum(outputs**3)
        variables = pair[index].trainable_variables
        found.append(
            [outputs, *tape.gradient(loss, [IMAGES, *variables])]
            + [v.numpy() for v in pair[0].variables]
        )
    for theirs, ours in zip(*found, strict=True):
        scale = abs(np.asarray(theirs)).max()
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize(
    "settings",
    [
        {"synchronized": False},
        {"axis": 1},
        {"trainable": False},
        pytest.param(
            {"renorm": True},
            marks=pytest.mark.skipif(
                "renorm"
                not in inspect.signature(layers.BatchNormalization).parameters,
                reason="this Keras has no renormalisation",
            ),
        ),
    ],
)
def test_other_normalisations_are_left_alone(settings):
    model, trained = make_models(**settings)
    weights = model.get_weights()
    outputs = model(IMAGES, training=True)
    model.set_weights(weights)
    np.testing.assert_array_equal(trained(IMAGES, training=True), outputs)


@pytest.mark.filterwarnings("error")
def test_masks_are_respected_and_passed_on():
    features = keras.Input((32, 3))
    x = layers.Masking()(features)
    x = layers.BatchNormalization(synchronized=True)(x)
    model = keras.Model(features, [x, layers.GlobalAveragePooling1D()(x)])
    values = tf.concat([IMAGES[:, 0, :24], tf.zeros((128, 8, 3))], axis=1)
    outputs, means = model(values, training=True)
    assert abs(outputs[:, :24].numpy().mean()) < 1e-3
    for found, wanted in zip(
        prepare_for_training(model)(values, training=True),
        (outputs, means),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


def test_models_in_the_model_change_and_variables_stay():
    inner = keras.Sequential(
        [layers.Conv2D(3, 3), layers.BatchNormalization(synchronized=True)]
    )
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, layers.Dense(1)(inner(images)))
    trained = prepare_for_training(model)
    for kind in ("trainable_variables", "non_trainable_variables"):
        assert list(map(id, getattr(trained, kind))) == list(
            map(id, getattr(model, kind))
        )
    kinds = [type(layer).__name__ for layer in trained.layers[1].layers]
    assert kinds == ["Conv2D", "_Normalization"]
