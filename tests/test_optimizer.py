"""The optimizers and learning rates of the recipes."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from seqdigits_tfds import InputError
from trainer.model.optimizer import ADAM, MUON, ConvMuon, Recipe, make_optimizer

RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((3, 3, 4, 8)).astype(np.float32)
BIAS = RNG.standard_normal(8).astype(np.float32)
GRADIENTS = [
    [
        RNG.standard_normal(KERNEL.shape).astype(np.float32),
        RNG.standard_normal(BIAS.shape).astype(np.float32),
    ]
    for _ in range(5)
]


def optimize(optimizer, num_steps=5):
    """Returns the kernel and the bias after some steps."""
    variables = [keras.Variable(KERNEL), keras.Variable(BIAS)]
    optimizer.build(variables)
    for gradients in GRADIENTS[:num_steps]:
        optimizer.apply(
            [keras.ops.convert_to_tensor(g) for g in gradients], variables
        )
    return [variable.numpy() for variable in variables]


def test_kernels_move_equally_in_all_directions():
    kernel, _ = optimize(ConvMuon(0.5), 1)
    step = ((kernel - KERNEL) / 0.5).reshape(-1, 8)
    singular_values = np.linalg.svd(step, compute_uv=False)
    assert singular_values.max() < 2 * singular_values.min()
    # The size of a step of Adam: a root mean square of 0.2.
    assert np.sqrt((step**2).mean()) == pytest.approx(0.2, rel=0.2)
    # Downhill, with respect to the first gradient.
    assert (step * GRADIENTS[0][0].reshape(-1, 8)).sum() < 0


def test_other_variables_are_updated_by_adam():
    _, bias = optimize(ConvMuon(0.5))
    _, expected = optimize(keras.optimizers.Adam(0.1, epsilon=1e-4))
    np.testing.assert_allclose(bias, expected, rtol=1e-5)


def test_momentum_is_nesterov_momentum():
    """The second step combines both gradients in the expected proportion."""
    first, second = (GRADIENTS[i][0].astype(np.float64) for i in (0, 1))
    momentum = first * 0.95 + second
    direction = (second + 0.95 * momentum).reshape(-1, 8)
    u, _, vh = np.linalg.svd(direction, full_matrices=False)
    after_one, _ = optimize(ConvMuon(1.0), 1)
    after_two, _ = optimize(ConvMuon(1.0), 2)
    step = (after_one - after_two).reshape(-1, 8)
    expected = u @ vh
    cosine = (step * expected).sum() / (
        np.linalg.norm(step) * np.linalg.norm(expected)
    )
    assert cosine > 0.98


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "sgd"},
        {"label_smoothing": 1.0},
        {"label_smoothing": -0.1},
        {"temperature": 0.0},
        {"warmup_steps": 0.1},
        {"warmup_steps": -1},
        {"epochs": 1.5},
        {"epochs": "3"},
        {"learning_rate": float("nan")},
        {"distortion": None},
    ],
)
def test_a_recipe_with_other_values_is_refused(values):
    valid = Recipe(1, MUON, 0.1, None)
    with pytest.raises(InputError, match=next(iter(values))):
        dataclasses.replace(valid, **values)


def test_a_recipe_may_have_numbers_of_numpy():
    recipe = Recipe(np.int64(1), MUON, np.float32(0.1), None)
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["epochs"] == 1


def test_the_learning_rate_warms_up_and_falls():
    recipe = Recipe(
        epochs=1, optimizer=MUON, learning_rate=0.1, warmup_steps=20
    )
    schedule = make_optimizer(recipe, total_steps=100)
    rates = []
    for step in (0, 10, 20, 60, 100):
        schedule.iterations.assign(step)
        rates.append(float(schedule.learning_rate))
    assert rates == pytest.approx([0, 0.05, 0.1, 0.05, 0], abs=1e-6)
    short = make_optimizer(recipe, total_steps=10)
    short.iterations.assign(5)
    assert float(short.learning_rate) == pytest.approx(0.1)
    constant = make_optimizer(
        Recipe(epochs=1, optimizer=ADAM, learning_rate=0.1, warmup_steps=None),
        total_steps=100,
    )
    assert float(constant.learning_rate) == pytest.approx(0.1)
