"""Keras models that read a sequence: the notebook's, and a better one.

Every model takes raw uint8 images [N, height, width, 1] and gives float32
logits [N, positions, classes], and is made of Keras's own layers alone, so that
plain Keras can load it in safe mode.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

import keras
from keras import layers

from seqdigits_tfds import InputError
from trainer.optimizer import ADAM, MUON, Recipe


@dataclasses.dataclass(frozen=True)
class Shape:
    """What goes into a model and what comes out.

    Attributes:
      image: (height, width, channels), in pixels.
      num_positions: Length of a padded sequence.
      num_classes: Classes of a position, the blank included.
    """

    image: tuple[int, int, int]
    num_positions: int
    num_classes: int


@dataclasses.dataclass(frozen=True)
class Model:
    """A model.

    Attributes:
      read: Applied to images as `Shape` says, gives logits.
      recipe: How to train it.
      why_no_jit: Why XLA can't compile its training with deterministic ops;
        None if it can.
    """

    read: Callable[[keras.KerasTensor, Shape], keras.KerasTensor]
    recipe: Recipe
    why_no_jit: str | None = None


def _read_with_seed_cnn(
    images: keras.KerasTensor, shape: Shape
) -> keras.KerasTensor:
    """Applies the notebook's network, layer by layer.

    3x3x32 same, ReLU, 3x3x32 valid, ReLU, 2x2 max pool, dropout 0.25, dense
    128 ReLU, dropout 0.5, one classifier for each position. The softmax is left
    to the loss.
    """
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    logits = [
        layers.Dense(shape.num_classes, dtype="float32")(x)
        for _ in range(shape.num_positions)
    ]
    logits = layers.Concatenate(dtype="float32")(logits)
    return layers.Reshape(
        (shape.num_positions, shape.num_classes), dtype="float32"
    )(logits)


def _read_with_slot_resnet(
    images: keras.KerasTensor, shape: Shape
) -> keras.KerasTensor:
    """Applies a small residual network with one slot for each position.

    Images are stretched until each position has 18 columns, so that a strided
    stem makes 6 columns of features that look at every position alike. Residual
    blocks see them and their neighbours at three resolutions, and one
    convolution turns each position's columns into one vector, read by a
    classifier that all positions share. For 5 positions: 64x90, 16x30x32,
    8x15x64, 4x15x128, 1x5x256, 5x11.
    """
    positions = shape.num_positions
    x = layers.Rescaling(1 / 255)(images)
    # Not layers.Resizing: a model that has one is in training mode whenever it
    # is called without saying otherwise.
    x = keras.ops.image.resize(x, (64, 18 * positions))
    x = _conv(x, 32, (8, 9), strides=(4, 3))
    x = _residual_block(x)
    x = _conv(x, 64, 3, strides=2)
    x = _residual_block(x)
    x = _conv(x, 128, 3, strides=(2, 1))
    x = _residual_block(x)
    x = _conv(x, 256, (4, 3), strides=(4, 3))
    x = layers.Reshape((positions, 256))(x)
    return layers.Dense(shape.num_classes, dtype="float32")(x)


def _conv(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int | tuple[int, int],
    strides: int | tuple[int, int] = 1,
    activation: str | None = "silu",
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    # Synchronized: statistics of the global batch, however it is divided.
    x = layers.BatchNormalization(momentum=0.9, synchronized=True)(x)
    return layers.Activation(activation)(x) if activation else x


def _residual_block(x: keras.KerasTensor) -> keras.KerasTensor:
    filters = x.shape[-1]
    y = _conv(x, filters, 3)
    y = _conv(y, filters, 3, activation=None)
    return layers.Activation("silu")(layers.Add()([x, y]))


MODELS: Mapping[str, Model] = {
    "slot_resnet": Model(
        _read_with_slot_resnet,
        Recipe(
            epochs=10,
            optimizer=MUON,
            learning_rate=1e-2,
            warmup_fraction=0.05,
            distortion=3.0,
        ),
    ),
    "seed_cnn": Model(
        _read_with_seed_cnn,
        Recipe(
            epochs=12, optimizer=ADAM, learning_rate=1e-3, warmup_fraction=None
        ),
        why_no_jit="max pooling's gradient has no deterministic form in XLA",
    ),
}
"""The models by name; the first is the default."""


def build(
    name: str, shape: Shape, ensemble_size: int = 1
) -> tuple[keras.Model, keras.Model]:
    """Builds a model, or an ensemble of models that differ in initial weights.

    An ensemble gives each class the mean of its members' probabilities
    (Lakshminarayanan et al., "Simple and scalable predictive uncertainty
    estimation using deep ensembles", NeurIPS 2017).

    Args:
      name: One of `MODELS`.
      shape: What goes in and what comes out.
      ensemble_size: Number of members.

    Returns:
      The model, which gives logits float32 [N, positions, classes]; and one of
      the same variables to train, which gives each member's, float32 [N,
      members, positions, classes].
    """
    images = keras.Input(shape.image, dtype="uint8", name="image")
    members = [MODELS[name].read(images, shape) for _ in range(ensemble_size)]
    all_logits = keras.ops.stack(members, axis=1)
    if ensemble_size == 1:
        logits = members[0]
    else:
        log_probabilities = keras.ops.log_softmax(all_logits)
        logits = keras.ops.logsumexp(log_probabilities, axis=1)
    return (
        keras.Model(images, logits, name=name),
        keras.Model(images, all_logits),
    )


def load(path: pathlib.Path) -> keras.Model:
    """Loads a saved model.

    Args:
      path: A `.keras` file.

    Raises:
      InputError: If it is none.
    """
    try:
        return keras.models.load_model(path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"wanted a model that the trainer saved, found none in {path}"
            f" ({' '.join(str(error).split())})"
        ) from error


def get_shape(model: keras.Model) -> Shape:
    """Returns what a model takes and gives."""
    return Shape(model.input_shape[1:], *model.output_shape[1:])
