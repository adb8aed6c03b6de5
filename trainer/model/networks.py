"""The networks that read sequences, and their recipes.

Every network takes raw uint8 images [N, height, width, 1] and returns float32
logits [N, positions, classes]. It consists of Keras's own layers only, so that
plain Keras can load it in safe mode.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

import keras
from keras import layers

from seqdigits_tfds import InputError
from trainer.data.sequences import ExampleShape
from trainer.model.optimizer import ADAM, MUON, Recipe


@dataclasses.dataclass(frozen=True)
class Network:
    """A network that can be trained.

    Attributes:
      apply: Maps images to logits, of the shapes in an `ExampleShape`.
      recipe: How to train it.
    """

    apply: Callable[[keras.KerasTensor, ExampleShape], keras.KerasTensor]
    recipe: Recipe


def _apply_seed_cnn(
    images: keras.KerasTensor, shape: ExampleShape
) -> keras.KerasTensor:
    """Applies the notebook's network, layer by layer.

    3x3x32 same, ReLU, 3x3x32 valid, ReLU, 2x2 max pooling, dropout 0.25, dense
    128, ReLU, dropout 0.5, one classifier per position. The softmax is part of
    the loss.
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


def _apply_slot_resnet(
    images: keras.KerasTensor, shape: ExampleShape
) -> keras.KerasTensor:
    """Applies a small residual network with one slot for each position.

    Images are first stretched to 18 columns per position, so that a strided
    stem makes 6 columns of features per position, and samples all positions
    alike. Residual blocks see these columns and their neighbours at three
    resolutions. One convolution turns each position's columns into a vector,
    and all positions share a classifier. For 5 positions: 64x90, 16x30x32,
    8x15x64, 4x15x128, 1x5x256, 5x11.
    """
    positions = shape.num_positions
    x = layers.Rescaling(1 / 255)(images)
    # layers.Resizing would put the model in training mode whenever it is called
    # without an explicit `training` argument.
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
    # Synchronized: the statistics are those of the global batch, for any number
    # of replicas.
    x = layers.BatchNormalization(momentum=0.9, synchronized=True)(x)
    return layers.Activation(activation)(x) if activation else x


def _residual_block(x: keras.KerasTensor) -> keras.KerasTensor:
    filters = x.shape[-1]
    y = _conv(x, filters, 3)
    y = _conv(y, filters, 3, activation=None)
    return layers.Activation("silu")(layers.Add()([x, y]))


NETWORKS: Mapping[str, Network] = {
    "slot_resnet": Network(
        _apply_slot_resnet,
        Recipe(
            epochs=10,
            optimizer=MUON,
            learning_rate=1e-2,
            warmup_fraction=0.05,
            distortion=3.0,
        ),
    ),
    "seed_cnn": Network(
        _apply_seed_cnn,
        Recipe(
            epochs=12, optimizer=ADAM, learning_rate=1e-3, warmup_fraction=None
        ),
    ),
}
"""The networks, by their value of `--model`."""


def build(
    name: str, shape: ExampleShape, ensemble_size: int = 1
) -> tuple[keras.Model, keras.Model]:
    """Builds a model, or an ensemble whose members differ in initial weights.

    An ensemble averages its members' probabilities (Lakshminarayanan et al.,
    "Simple and scalable predictive uncertainty estimation using deep
    ensembles", NeurIPS 2017).

    Args:
      name: One of `NETWORKS`.
      shape: The shapes of input and output.
      ensemble_size: Number of members.

    Returns:
      The model, which returns logits float32 [N, positions, classes]; and a
      model for training that shares its variables and returns the logits of
      each member, float32 [N, members, positions, classes].
    """
    images = keras.Input(shape.image, dtype="uint8", name="image")
    members = [
        NETWORKS[name].apply(images, shape) for _ in range(ensemble_size)
    ]
    all_logits = keras.ops.stack(members, axis=1)
    if ensemble_size == 1:
        logits = members[0]
    else:
        log_probabilities = keras.ops.log_softmax(all_logits)
        logits = keras.ops.logsumexp(log_probabilities, axis=(1,))
    return (
        keras.Model(images, logits, name=name),
        keras.Model(images, all_logits),
    )


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
