"""A network that compiles in a second: `--model=small_network:small`."""

from keras import layers

from trainer.model.networks import Network
from trainer.model.optimizer import MUON, Recipe


def small():
    """Returns the network.

    Like the default network, it has synchronized batch normalization, kernels
    for Muon and other variables for Adam, a warm-up, and distortion. Unlike it,
    it has a regularizer.
    """
    return Network(
        _apply,
        Recipe(
            epochs=4,
            optimizer=MUON,
            learning_rate=2e-2,
            warmup_steps=10,
            distortion=0.5,
        ),
    )


def _apply(images, shape):
    x = layers.Rescaling(1 / 255)(images)
    for filters in (8, 16):
        x = layers.Conv2D(
            filters, 5, strides=4, padding="same", use_bias=False
        )(x)
        x = layers.BatchNormalization(momentum=0.9, synchronized=True)(x)
        x = layers.Activation("silu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(
        shape.num_positions * shape.num_classes, kernel_regularizer="l2"
    )(x)
    return layers.Reshape(
        (shape.num_positions, shape.num_classes), dtype="float32"
    )(x)
