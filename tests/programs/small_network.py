"""The trainer with an additional network, `small`, that compiles in a second.

As a program, it takes the trainer's flags.
"""

import sys


def register():
    """Adds the network `small` to the choices of `--model`.

    Like the default network, it has synchronized batch normalization, kernels
    for Muon and other variables for Adam, a warm-up, and distortion.
    """
    from keras import layers

    from trainer.model import networks
    from trainer.model.optimizer import MUON, Recipe

    def apply(images, shape):
        x = layers.Rescaling(1 / 255)(images)
        for filters in (8, 16):
            x = layers.Conv2D(
                filters, 5, strides=4, padding="same", use_bias=False
            )(x)
            x = layers.BatchNormalization(momentum=0.9, synchronized=True)(x)
            x = layers.Activation("silu")(x)
        x = layers.Flatten()(x)
        x = layers.Dense(shape.num_positions * shape.num_classes)(x)
        return layers.Reshape(
            (shape.num_positions, shape.num_classes), dtype="float32"
        )(x)

    networks.NETWORKS["small"] = networks.Network(
        apply,
        Recipe(
            epochs=4,
            optimizer=MUON,
            learning_rate=2e-2,
            warmup_fraction=0.1,
            distortion=0.5,
        ),
    )


if __name__ == "__main__":
    from seqdigits_tfds.terminal import quiet_tensorflow

    with quiet_tensorflow():
        register()
    from absl import app

    from trainer import __main__

    sys.argv[1:1] = ["--model=small"]
    app.run(__main__.main)
