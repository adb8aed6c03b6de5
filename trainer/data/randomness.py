"""Derives every random number of a run from the run's seed.

| purpose | generator | a function of |
|---|---|---|
| `ORDER`: order in memory | Philox, by `make_seed` | seed, epoch |
| `ORDER`: order on disk | Philox, by `make_seed` | seed, epoch, window |
| `COMPOSITION`: fresh sequences | Philox, by `make_seed` | seed, block |
| `DISTORTION`: distortion | Philox, by `make_seed` | seed, step |
| initial weights | Keras's, by `seed_keras` | seed, order of the layers |
| dropout of `seed_cnn` | Keras's, by `seed_keras` | seed, step, replica |
"""

import enum

import keras
import tensorflow as tf

ALGORITHM = "philox"
"""Counter-based: the same numbers on every device and in every version."""


class Purpose(enum.IntEnum):
    """The independent Philox streams. Changing a value changes all results."""

    ORDER = 0
    COMPOSITION = 1
    DISTORTION = 2


def make_seed(
    seed: int, purpose: Purpose, *indices: tf.Tensor | int
) -> tf.Tensor:
    """Makes a seed for TensorFlow's stateless random functions.

    Args:
      seed: The run's seed.
      purpose: The stream.
      indices: Position in the stream, such as an epoch or a step.

    Returns:
      int64 [2]. Different arguments give unrelated seeds.
    """
    key = tf.constant([seed, purpose], tf.int64)
    for index in indices:
        key = tf.random.fold_in(key, index, alg=ALGORITHM)
    return key


def seed_keras(seed: int) -> None:
    """Seeds the generators of Keras, which draw initial weights and dropout.

    Keras's layers create their own generators, in the order in which the layers
    are built. They only take the run's seed as a whole, so the order of the
    layers plays the role of `make_seed`'s `indices`.

    Args:
      seed: The run's seed.
    """
    keras.utils.set_random_seed(seed)
