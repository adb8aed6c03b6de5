"""Chooses, builds, checks and loads models."""

import contextlib
import importlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from seqdigits_tfds import InputError
from seqdigits_tfds.builder_config import TILED
from trainer.data.sequences import ExampleShape
from trainer.model.networks import NETWORKS, Network
from trainer.model.normalization import prepare_for_training

AUTO = "auto"


def check_name(name: str) -> None:
    """Checks a value of `--model`, without importing anything.

    Raises:
      InputError: If it is neither a known name nor a module and a function.
    """
    module, _, function = name.partition(":")
    is_own = all(part.isidentifier() for part in [*module.split("."), function])
    if name != AUTO and name not in NETWORKS and not is_own:
        raise InputError(
            f"model must be one of {AUTO}, {', '.join(NETWORKS)} or your own as"
            f" package.module:function, got {name!r}"
        )


def choose_name(name: str, layout: str) -> str:
    """Returns the name of a network: for "auto", the one for a layout.

    Args:
      name: Value of `--model`.
      layout: The dataset's layout; see `seqdigits_tfds.SeqDigitsConfig`.
    """
    if name != AUTO:
        return name
    return "slot_resnet" if layout == TILED else "sequence_reader"


def find_network(name: str) -> Network:
    """Returns a network of this project, or one from the user's own code.

    Args:
      name: One of `NETWORKS`, or "package.module:function". The module may be
        in the current directory. The function takes no arguments and returns a
        `Network`.

    Raises:
      InputError: If there is no such network, or its module or function fails.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    module_name, function_name = name.split(":")
    with _explaining(f"{module_name} can't be imported"):
        module = importlib.import_module(module_name)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(
            f"model must name a function of {module_name}, which has no"
            f" function {function_name}"
        )
    with _explaining(f"{name} failed"):
        network = function()
    if not isinstance(network, Network):
        raise InputError(
            f"{name} must return a trainer.model.networks.Network, got"
            f" {network!r}"
        )
    return network


def build(
    name: str, shape: ExampleShape, ensemble_size: int = 1
) -> tuple[keras.Model, keras.Model]:
    """Builds a model, or an ensemble whose members differ in initial weights.

    An ensemble averages its members' probabilities (Lakshminarayanan et al.,
    "Simple and scalable predictive uncertainty estimation using deep
    ensembles", NeurIPS 2017).

    Args:
      name: See `find_network`.
      shape: The shapes of input and output.
      ensemble_size: Number of members.

    Returns:
      The model, which returns logits float32 [N, positions, classes]; and a
      model for training that shares its variables and returns the logits of
      each member, float32 [N, members, positions, classes].

    Raises:
      InputError: If the network can't be found or built, has another output,
        shares layers among members, or contains anything that plain Keras does
        not load in safe mode.
    """
    network = find_network(name)
    images = keras.Input(shape.image, dtype="uint8", name="image")
    members = []
    for number in range(ensemble_size):
        with _explaining(f"{name} can't be built for {shape}"):
            logits = network.apply(images, shape)
            _check_member(name, images, logits, shape)
            # Layers may have the same names in other members.
            member = keras.Model(images, logits, name=f"member_{number}")
        members.append(member)
    variables = [v for member in members for v in member.variables]
    if len(set(map(id, variables))) < len(variables):
        raise InputError(
            f"{name} must make new layers whenever it is called, so that the"
            " members of an ensemble differ, but two of them share variables"
        )
    if ensemble_size > 1:
        all_logits = keras.ops.stack([m(images) for m in members], axis=1)
        log_probabilities = keras.ops.log_softmax(all_logits)
        logits = keras.ops.logsumexp(log_probabilities, axis=(1,))
    else:
        all_logits = logits[:, None]
    model = keras.Model(images, logits, name=name.rpartition(":")[-1])
    if name not in NETWORKS:
        _check_saving(name, model, shape)
    return model, prepare_for_training(keras.Model(images, all_logits))


def load(path: pathlib.Path) -> keras.Model:
    """Loads a saved model.

    Args:
      path: A `.keras` file.

    Raises:
      InputError: If the file does not contain a model.
    """
    try:
        return keras.models.load_model(path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"expected a model saved by the trainer, found none in {path}"
            f" ({' '.join(str(error).split())})"
        ) from error


def _check_member(
    name: str,
    images: keras.KerasTensor,
    logits: keras.KerasTensor,
    shape: ExampleShape,
) -> None:
    expected = ("float32", (None, shape.num_positions, shape.num_classes))
    found: Any = logits
    if isinstance(logits, keras.KerasTensor):
        found = (keras.backend.standardize_dtype(logits.dtype), logits.shape)
    if found != expected:
        raise InputError(
            f"{name} must return logits of dtype and shape {expected}, got"
            f" {found}"
        )
    if name not in NETWORKS:
        config = keras.Model(images, logits).get_config()
        foreign = sorted(set(_list_foreign(config)))
        if foreign:
            raise InputError(
                f"{name} must consist of Keras's own layers, so that plain"
                f" Keras can load it, got {', '.join(foreign)}"
            )


def _check_saving(name: str, model: keras.Model, shape: ExampleShape) -> None:
    """Checks that a model of the user's is the same after saving and loading.

    Keras saves a function with the name of one of its own as its own.
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, *shape.image), np.uint8)
    with (
        _explaining(f"{name} can't be saved and loaded"),
        tempfile.TemporaryDirectory() as folder,
    ):
        path = pathlib.Path(folder, "model.keras")
        model.save(path)
        before, after = (
            np.asarray(m(images, training=False), np.float32)
            for m in (model, keras.models.load_model(path))
        )
    if not np.allclose(before, after, rtol=1e-3, atol=1e-3):
        raise InputError(
            f"{name} must consist of Keras's own layers and functions: after"
            " saving and loading, it returns other logits"
        )


def _list_foreign(config: Any) -> Iterator[str]:
    """Lists the classes in a configuration that are not Keras's own."""
    if isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module", "keras")
        if name == "function":
            yield config["config"]
        elif isinstance(name, str) and (
            module.split(".")[0] != "keras"
            or config.get("registered_name") not in (None, name)
            or "lambda" in name.lower()
        ):
            yield config.get("registered_name") or name
        config = list(config.values())
    if isinstance(config, list | tuple):
        for value in config:
            yield from _list_foreign(value)


@contextlib.contextmanager
def _explaining(problem: str) -> Iterator[None]:
    """Makes one line of any exception of the user's code."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise InputError(
            f"model {problem} ({type(error).__name__}: {text})"
        ) from error
