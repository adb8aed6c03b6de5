"""The user's own models: `--model=package.module:function`."""

import re
import signal
import sys

import keras
import numpy as np
import pytest

from helpers import ROOT, SHORT, send_signal_at
from run_directories import assert_equal
from seqdigits_tfds import InputError
from trainer.data.sequences import ExampleShape
from trainer.model import models
from trainer.run.history import History

SHAPE = ExampleShape(image=(64, 64, 1), num_positions=5, num_classes=11)


@pytest.fixture
def documented_model(tmp_path, monkeypatch):
    """The value of `--model` for the example in docs/trainer.md."""
    text = (ROOT / "docs" / "trainer.md").read_text()
    section = text.split("\n## Your own model\n")[1].split("\n## ")[0]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    assert len(code.splitlines()) <= 25
    module, name = re.search(r"--model=(\w+):(\w+)", section).groups()
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module, raising=False)
    return f"{module}:{name}"


def test_the_documented_example_trains_resumes_and_exports(
    documented_model, train_here, tmp_path, monkeypatch
):
    settings = SHORT | {"model": documented_model}
    results = train_here(tmp_path / "undisturbed", **settings)
    assert results["individual_accuracy"] > 0.4
    with monkeypatch.context() as patch:
        send_signal_at(patch, History, "append", 2, signal.SIGTERM)
        with pytest.raises(SystemExit):
            train_here(tmp_path / "run", **settings)
    train_here(tmp_path / "run", **settings)
    assert_equal(tmp_path / "run", tmp_path / "undisturbed")
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert model(np.zeros((1, 64, 64, 1), np.uint8)).shape == (1, 5, 11)
    assert (tmp_path / "run" / "export" / "saved_model.pb").exists()


_BEGIN = """
import keras
from keras import layers
from trainer.model.networks import Network
from trainer.model.optimizer import ADAM, Recipe

RECIPE = Recipe(1, ADAM, 1e-3, None)

def apply(images, shape):
    x = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    x = layers.Dense(shape.num_positions * shape.num_classes)(x)
    return layers.Reshape((shape.num_positions, shape.num_classes))(x)
"""

_BROKEN = {
    "no such module": (None, "can't be imported (ModuleNotFoundError: No"),
    "import fails": ("1 / 0", "can't be imported (ZeroDivisionError: division"),
    "no such function": ("other = 1", "which has no function make"),
    "not a function": ("make = 1", "which has no function make"),
    "function fails": ("def make():\n    1 / 0", "own:make failed (ZeroDiv"),
    "no network": (
        "def make():\n    return apply",
        "own:make must return a trainer.model.networks.Network, got <function",
    ),
    "unknown optimizer": (
        "def make():\n    return Network(apply, Recipe(1, 'sgd', 0.1, None))",
        "optimizer must be one of adam, muon, got 'sgd'",
    ),
    "layers fail": (
        "def make():\n    return Network("
        "lambda x, shape: layers.Conv2D(8, 99)(x), RECIPE)",
        "own:make can't be built for ExampleShape(image=(64, 64, 1), num_posi",
    ),
    "wrong shape": (
        "def make():\n    return Network("
        "lambda *args: layers.Flatten()(apply(*args)), RECIPE)",
        "dtype and shape ('float32', (None, 5, 11)), got ('float32', (None, 55",
    ),
    "wrong dtype": (
        "def make():\n    return Network("
        "lambda *args: keras.ops.cast(apply(*args), 'float16'), RECIPE)",
        "got ('float16', (None, 5, 11))",
    ),
    "several outputs": (
        "def make():\n    return Network("
        "lambda *args: [apply(*args), apply(*args)], RECIPE)",
        "dtype and shape ('float32', (None, 5, 11)), got [<KerasTensor",
    ),
    "own layer": (
        "class Mine(layers.Layer):\n    def call(self, x):\n        return x\n"
        "def make():\n    return Network("
        "lambda *args: Mine()(apply(*args)), RECIPE)",
        "own:make must consist of Keras's own layers, so that plain Keras can"
        " load it, got Mine",
    ),
    "registered layer": (
        "@keras.saving.register_keras_serializable()\n"
        "class Mine(layers.Layer):\n    def call(self, x):\n        return x\n"
        "def make():\n    return Network("
        "lambda *args: Mine()(apply(*args)), RECIPE)",
        "load it, got Custom>Mine",
    ),
    "lambda": (
        "def make():\n    return Network(lambda *args: "
        "layers.Lambda(lambda x: x * 2)(apply(*args)), RECIPE)",
        "load it, got Lambda, __lambda__",
    ),
    "own function with a name of Keras's": (
        "def silu(x):\n    return 2 * x\n"
        "def make():\n    return Network(lambda *args: "
        "layers.Activation(silu)(apply(*args)), RECIPE)",
        "and functions: after saving and loading, it returns other logits",
    ),
    "own activation": (
        "def mine(x):\n    return x\n"
        "def make():\n    return Network(lambda *args: "
        "layers.Activation(mine)(apply(*args)), RECIPE)",
        "load it, got mine",
    ),
}


@pytest.mark.parametrize(
    ("code", "message"), _BROKEN.values(), ids=_BROKEN.keys()
)
def test_broken_models_are_refused_in_one_line(
    code, message, tmp_path, monkeypatch
):
    if code is not None:
        (tmp_path / "own.py").write_text(f"{_BEGIN}\n{code}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        models.build("own:make", SHAPE)
    assert "\n" not in str(error.value)
    monkeypatch.delitem(sys.modules, "own", raising=False)


@pytest.fixture
def use(tmp_path, monkeypatch):
    """Returns a function that makes code the module `own`."""

    def write(code):
        (tmp_path / "own.py").write_text(f"{_BEGIN}\n{code}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "own", raising=False)

    yield write
    monkeypatch.delitem(sys.modules, "own", raising=False)


_NAMED = """
def make():
    def named(images, shape):
        x = layers.Rescaling(1 / 255)(images)
        x = layers.Conv2D(4, 5, strides=4, name="stem", dtype="bfloat16")(x)
        return apply(x, shape)
    return Network(named, RECIPE)
"""


def test_an_ensemble_of_named_layers_trains_and_resumes(
    use, train_here, tmp_path
):
    """One of its layers keeps its variables as bfloat16."""
    use(_NAMED)
    settings = SHORT | {"model": "own:make", "ensemble_size": 2, "epochs": 1}
    train_here(tmp_path / "run", **settings)
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert [m.name for m in model.layers if isinstance(m, keras.Model)] == [
        "member_0",
        "member_1",
    ]
    (tmp_path / "run" / "results.json").unlink()
    train_here(tmp_path / "run", **settings)
    assert (tmp_path / "run" / "results.json").exists()


def test_members_that_share_layers_are_refused(use):
    use(
        "dense = layers.Dense(55)\n"
        "def make():\n    return Network(lambda images, shape: layers.Reshape("
        "(5, 11))(dense(layers.Flatten()(images))), RECIPE)"
    )
    models.build("own:make", SHAPE)
    with pytest.raises(InputError, match="must make new layers whenever it is"):
        models.build("own:make", SHAPE, 2)
