"""One random stream for each purpose, all from the run's seed."""

import enum

import tensorflow as tf

ALGORITHM = "philox"
"""Counter-based, and the same on every device and in every version."""


class Purpose(enum.IntEnum):
    """What random numbers are for; the streams are independent."""

    ORDER = 0
    COMPOSITION = 1
    AUGMENTATION = 2


def make_seed(
    seed: int, purpose: Purpose, *numbers: tf.Tensor | int
) -> tf.Tensor:
    """Makes the seed of TensorFlow's stateless random functions.

    Args:
      seed: The run's.
      purpose: The stream.
      numbers: Where in the stream, such as an epoch or a step.

    Returns:
      int64 [2]; any other argument gives an unrelated one.
    """
    key = tf.constant([seed, purpose], tf.int64)
    for number in numbers:
        key = tf.random.fold_in(key, number, alg=ALGORITHM)
    return key
