import keras
import numpy as np
import pytest
from scipy import special

from helpers import run_python
from trainer.data.sequences import ExampleShape
from trainer.model.models import build
from trainer.model.networks import NETWORKS

NAMES = ("seed_cnn", "slot_resnet", "slot_resnet_fine", "sequence_reader")
SHAPE = ExampleShape(image=(64, 64, 1), num_positions=5, num_classes=11)
IMAGES = np.random.default_rng(0).integers(
    0, 256, (3, 64, 64, 1), dtype=np.uint8
)


def test_seed_cnn_is_the_notebooks_network():
    model, _ = build("seed_cnn", SHAPE)
    layers = [
        (type(layer).__name__, layer.output.shape[1:])
        for layer in model.layers
        if type(layer).__name__ not in ("InputLayer", "Rescaling")
    ]
    assert layers == [
        ("Conv2D", (64, 64, 32)),
        ("Conv2D", (62, 62, 32)),
        ("MaxPooling2D", (31, 31, 32)),
        ("Dropout", (31, 31, 32)),
        ("Flatten", (30_752,)),
        ("Dense", (128,)),
        ("Dropout", (128,)),
        *[("Dense", (11,))] * 5,
        ("Concatenate", (55,)),
        ("Reshape", (5, 11)),
    ]
    rates = [layer.rate for layer in model.layers if hasattr(layer, "rate")]
    assert rates == [0.25, 0.5]
    convolutions = 9 * 32 + 32 + 9 * 32 * 32 + 32
    dense = 30_752 * 128 + 128 + 5 * (128 * 11 + 11)
    assert model.count_params() == convolutions + dense
    recipe = NETWORKS["seed_cnn"].recipe
    assert (recipe.epochs, recipe.warmup_steps) == (12, None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "shape",
    [SHAPE, ExampleShape((64, 128, 1), 8, 11), ExampleShape((7, 5, 1), 3, 11)],
)
def test_models_take_raw_images_and_return_logits(name, shape):
    model, _ = build(name, shape)
    assert model.inputs[0].dtype == "uint8"
    logits = model(np.zeros((2, *shape.image), np.uint8))
    assert logits.shape == (2, shape.num_positions, shape.num_classes)
    assert logits.dtype == "float32"


@pytest.mark.parametrize("name", ["slot_resnet", "slot_resnet_fine"])
def test_slots_are_treated_alike(name):
    """The logits of a digit do not depend on its position."""
    keras.utils.set_random_seed(0)
    model, _ = build(name, ExampleShape((28, 9 * 28, 1), 9, 11))
    images = np.zeros((3, 28, 9 * 28, 1), np.uint8)
    # At least three empty cells on each side keep the digit away from the
    # borders.
    for row in range(3):
        left = 28 * (3 + row)
        images[row, :, left : left + 28] = IMAGES[0, :28, :28]
    logits = model(images).numpy()
    for row in (1, 2):
        np.testing.assert_allclose(
            logits[row, 3 + row], logits[0, 3], atol=1e-5
        )
    assert abs(logits[0, 3] - logits[0, 4]).max() > 0.01


def read_marks(images, num_positions):
    """Returns the marks [n, columns] of an untrained `sequence_reader`, the
    weights [n, positions, columns] that follow from them, the logits, and the
    logits of nothing at all.
    """
    keras.utils.set_random_seed(0)
    shape = ExampleShape(images.shape[1:], num_positions, 11)
    model, _ = build("sequence_reader", shape)
    (marks,) = (x for x in model.layers if getattr(x, "units", 0) == 1)
    *_, weights = (x for x in model.operations if "subtract" in x.name)
    outputs = keras.Model(
        model.input, [marks.output, weights.output, model.output]
    )(images)
    marks, *others = (output.numpy() for output in outputs)
    return marks[..., 0], *others, model.layers[-1].bias.numpy()


WIDE_IMAGES = np.random.default_rng(0).integers(
    0, 256, (3, 64, 128, 1), np.uint8
)


def test_sequence_reader_reads_each_position_where_the_sum_passes_it():
    marks, weights, _, _ = read_marks(WIDE_IMAGES, 7)
    assert marks.shape == (3, 32)
    assert weights.shape == (3, 7, 32)
    sums = np.concatenate([np.zeros((3, 1)), marks.cumsum(axis=1)], axis=1)
    assert sums[:, -1] == pytest.approx(3, rel=0.5)
    # The integral of a window of width 1 at each position, with soft borders.
    grid = np.linspace(-4, 12, 16_001)
    for position in range(7):
        window = special.expit((grid - position) / 0.5)
        window -= special.expit((grid - position - 1) / 0.5)
        integral = np.cumsum(window) * (grid[1] - grid[0])
        expected = np.diff(np.interp(sums, grid, integral), axis=1)
        np.testing.assert_allclose(weights[:, position], expected, atol=1e-3)
    # From left to right.
    centers = (weights * np.arange(32)).sum(axis=2) / weights.sum(axis=2)
    assert (np.diff(centers[:, :4], axis=1) > 0).all()


def test_sequence_reader_reads_blanks_where_nothing_is_left():
    _, _, logits, bias = read_marks(WIDE_IMAGES, 10)
    differences = abs(logits - bias).max(axis=2)
    assert (differences[:, 0] > 0.01).all()
    assert (differences[:, 8:] < 0.01 * differences[:, :1]).all()


@pytest.mark.parametrize("ensemble_size", [1, 3])
def test_an_ensemble_averages_its_members_probabilities(ensemble_size):
    keras.utils.set_random_seed(0)
    model, members = build("slot_resnet", SHAPE, ensemble_size)
    logits = members(IMAGES)
    assert logits.shape == (3, ensemble_size, 5, 11)
    expected = keras.ops.softmax(logits).numpy().mean(axis=1)
    found = keras.ops.softmax(model(IMAGES)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert {id(v) for v in model.variables} == {
        id(v) for v in members.variables
    }
    # Equal members would have a spread of 0, up to rounding.
    spread = logits.numpy().std(axis=1).mean()
    assert (spread > 0.01) == (ensemble_size > 1)


def test_plain_keras_loads_all_models_in_safe_mode(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    models = {
        f"{name}_{size}": build(name, SHAPE, size)[0]
        for name in NAMES
        for size in (1, 2)
    }
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    run_python(
        "-c",
        "import keras, numpy as np, pathlib, sys\n"
        "images = np.load('images.npy')\n"
        "for path in pathlib.Path().glob('*.keras'):\n"
        "    model = keras.models.load_model(path, safe_mode=True)\n"
        "    np.save(path.with_suffix('.npy'), model.predict(images))\n"
        "assert 'trainer' not in sys.modules",
        cwd=tmp_path,
        PYTHONPATH="",
    )
    for name, model in models.items():
        logits = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(logits, model(IMAGES), atol=1e-5)
