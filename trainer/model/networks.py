"""The networks that read sequences, and their recipes.

Every network takes raw uint8 images [N, height, width, 1] and returns float32
logits [N, positions, classes]. It consists of Keras's own layers only, so that
plain Keras can load it in safe mode.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import layers

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


_COLUMNS = 18
"""Columns of pixels for each position, after stretching."""

_SOFTNESS = 0.5
"""Width of the border between two positions of `sequence_reader`, in digits."""


def _apply_slot_resnet(
    images: keras.KerasTensor,
    shape: ExampleShape,
    columns: int = _COLUMNS,
    kernel_size: tuple[int, int] = (8, 9),
    strides: tuple[int, int] = (4, 3),
) -> keras.KerasTensor:
    """Applies a small residual network with one slot for each position.

    Images are first stretched to the same number of columns for each position,
    so that a strided stem samples all positions alike. Residual blocks see
    these columns and their neighbours at three resolutions. One convolution
    turns each position's columns into a vector, and all positions share a
    classifier. For 5 positions: 64x90, 16x30x16, 8x15x32, 4x15x64, 1x5x128,
    5x11. For 20 columns and strides of 2: 64x100, 32x50x16, 16x25x32, 8x25x64,
    1x5x128, 5x11.

    Args:
      images: See `Network.apply`.
      shape: See `Network.apply`.
      columns: Columns of pixels for each position, after stretching.
      kernel_size: Height and width of the first kernel.
      strides: Its strides.
    """
    positions = shape.num_positions
    x = _stretch(images, columns * positions)
    x = _extract_features(x, kernel_size, strides)
    slot = (x.shape[1], x.shape[2] // positions)
    x = _conv(x, 128, slot, strides=slot)
    x = layers.Reshape((positions, 128))(x)
    return layers.Dense(shape.num_classes, dtype="float32")(x)


def _apply_sequence_reader(
    images: keras.KerasTensor, shape: ExampleShape
) -> keras.KerasTensor:
    """Applies a residual network that counts digits from left to right.

    It makes a vector of features for every fourth column of the image, and
    looks for digits itself: a mark in 0..1 says how much of a digit each column
    completes. The sum of the marks up to a column is the number of digits read
    so far; position p takes the columns in which it grows from p to p + 1, with
    soft borders, weighted by their parts of that growth. Where the sum ends
    before, little is left to take, and the classifier reads a blank. (Dong and
    Xu, "CIF: continuous integrate-and-fire for end-to-end speech recognition",
    ICASSP 2020; here without their auxiliary loss and scaling.)

    Digits may be anywhere, of different sizes, and touch; positions that never
    occurred in training are read as well as others, since all share their
    weights.
    """
    height, width, _ = shape.image
    x = _stretch(
        images, max(_COLUMNS * shape.num_positions, round(64 * width / height))
    )
    x = _extract_features(x, (8, 8), (4, 2))
    x = _conv(x, 128, (4, 3), strides=(4, 1))
    x = _residual_block(x, (1, 5))
    x = layers.Reshape((-1, 128))(x)
    # Three digits, before anything is learned.
    mean_mark = 3 / x.shape[1]
    marks = layers.Dense(
        1,
        activation="sigmoid",
        bias_initializer=keras.initializers.Constant(
            math.log(mean_mark / (1 - mean_mark))
        ),
        dtype="float32",
    )(x)
    marks = keras.ops.transpose(marks, (0, 2, 1))
    end = keras.ops.cumsum(marks, axis=-1)
    # [N, positions, columns]: how much of each position is read before the end
    # of a column, and in it.
    done, done_before = (
        _ramp(s, shape.num_positions) for s in (end, end - marks)
    )
    x = keras.ops.matmul(done - done_before, x)
    return layers.Dense(shape.num_classes, dtype="float32")(x)


def _ramp(x: keras.KerasTensor, num_positions: int) -> keras.KerasTensor:
    """Returns about min(max(x - p, 0), 1) for each position p, without kinks.

    Where a slope jumps, rounding differences between replica counts grow.
    """
    p = np.arange(num_positions, dtype=np.float32)[:, None]
    rising, falling = (
        keras.ops.softplus((x - begin) / _SOFTNESS) for begin in (p, p + 1)
    )
    return _SOFTNESS * (rising - falling)


def _stretch(images: keras.KerasTensor, width: int) -> keras.KerasTensor:
    x = layers.Rescaling(1 / 255)(images)
    # layers.Resizing would put the model in training mode whenever it is called
    # without an explicit `training` argument.
    return keras.ops.image.resize(x, (64, width))


def _extract_features(
    x: keras.KerasTensor,
    kernel_size: tuple[int, int],
    strides: tuple[int, int],
) -> keras.KerasTensor:
    """Applies residual blocks at three resolutions.

    Args:
      x: Images.
      kernel_size: Height and width of the first kernel.
      strides: Its strides.

    Returns:
      64 features for every row after strides[0] and 4, and every column after
      strides[1] and 2.
    """
    x = _conv(x, 16, kernel_size, strides)
    x = _residual_block(x)
    x = _conv(x, 32, 3, strides=2)
    x = _residual_block(x)
    x = _conv(x, 64, 3, strides=(2, 1))
    return _residual_block(x)


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


def _residual_block(
    x: keras.KerasTensor, kernel_size: int | tuple[int, int] = 3
) -> keras.KerasTensor:
    filters = x.shape[-1]
    y = _conv(x, filters, kernel_size)
    y = _conv(y, filters, kernel_size, activation=None)
    return layers.Activation("silu")(layers.Add()([x, y]))


_MUON_RECIPE = Recipe(
    epochs=8,
    optimizer=MUON,
    learning_rate=4e-2,
    warmup_steps=25,
    distortion=2.5,
    label_smoothing=0.1,
    temperature=2.0,
)

NETWORKS: Mapping[str, Network] = {
    "slot_resnet": Network(
        _apply_slot_resnet,
        _MUON_RECIPE,
    ),
    "slot_resnet_fine": Network(
        functools.partial(
            _apply_slot_resnet, columns=20, kernel_size=(6, 6), strides=(2, 2)
        ),
        dataclasses.replace(_MUON_RECIPE, epochs=3),
    ),
    "sequence_reader": Network(
        _apply_sequence_reader,
        dataclasses.replace(
            _MUON_RECIPE,
            epochs=6,
            learning_rate=2e-2,
            warmup_steps=5,
            distortion=2.0,
        ),
    ),
    "seed_cnn": Network(
        _apply_seed_cnn,
        Recipe(
            epochs=12, optimizer=ADAM, learning_rate=1e-3, warmup_steps=None
        ),
    ),
}
"""The project's networks, by their value of `--model`."""
