"""Derives every random number of a run from the run's seed.

| purpose | generator | a function of |
|---|---|---|
| `ORDER`: the order of an epoch | `permute` | seed, epoch, place |
| `DISTORTION`: distortion | `draw` | seed, position |
| initial weights | Keras's, by `seed_keras` | seed, order of the layers |
| dropout of `seed_cnn` | Keras's, by `seed_keras` | seed, step, replica |

A run trains on the positions 0, 1, 2, ... without end; step k has the positions
from k * global_batch_size on.
"""

import enum
import math
from collections.abc import Sequence

import keras
import tensorflow as tf

_PHILOX = 1
"""TensorFlow's number of the generator Philox4x32-10 (Salmon et al., "Parallel
random numbers: as easy as 1, 2, 3", SC'11). It is counter-based: it gives the
same numbers on every device, and any of them without those before it."""

_COUNTER_BYTES = 16
"""Number of random bytes that Philox makes for each value of its counter."""

_OPS = {
    tf.float32: tf.raw_ops.StatelessRandomNormalV2,
    tf.uint64: tf.raw_ops.StatelessRandomUniformFullIntV2,
}

_ROUNDS = 16
"""With fewer rounds, the orders of neighbouring epochs are correlated: 200
times as strongly as by chance with 4, twice as strongly with 8."""


class Purpose(enum.IntEnum):
    """The independent random streams. Changing a value changes all results."""

    ORDER = 0
    DISTORTION = 2


def permute(seed: int, positions: tf.Tensor, num_rows: int) -> tf.Tensor:
    """Finds the rows of some positions; every epoch is a permutation.

    Each row is computed alone, by a keyed bijection of 0..num_rows - 1, so time
    and memory don't depend on `num_rows`.

    Args:
      seed: The run's seed, 0..2**32 - 1.
      positions: int64 [n], at least 0.
      num_rows: Number of rows, and therefore of positions per epoch.

    Returns:
      int64 [n], the row of each position.
    """
    epochs = positions // num_rows
    first = tf.reduce_min(epochs)
    # Small splits use only the low bits of a key's words, so all must be mixed.
    keys = draw(
        seed,
        Purpose.ORDER,
        tf.range(first, tf.reduce_max(epochs) + 1),
        [3],
        tf.uint64,
    )
    return tf.raw_ops.RandomIndexShuffle(
        index=positions - epochs * num_rows,
        seed=tf.gather(keys, epochs - first),
        max_index=tf.constant(num_rows - 1, tf.int64),
        rounds=_ROUNDS,
    )


def draw(
    seed: int,
    purpose: int,
    positions: tf.Tensor,
    shape: Sequence[int],
    dtype: tf.DType,
) -> tf.Tensor:
    """Draws random numbers for each of some positions.

    Args:
      seed: The run's seed, 0..2**32 - 1.
      purpose: The stream, 0..2**32 - 1; the trainer uses those of `Purpose`.
      positions: int64 [n], consecutive.
      shape: Shape of the numbers of one position.
      dtype: float32 for standard normal numbers, uint64 for uniform words.

    Returns:
      [n, *shape] of `dtype`, a function of seed, purpose and position.
    """
    size = math.prod(shape)
    per_counter = _COUNTER_BYTES // dtype.size
    counters = math.ceil(size / per_counter)
    first = tf.cast(positions[0] * counters, tf.uint64)
    numbers = _OPS[dtype](
        shape=[tf.size(positions), counters * per_counter],
        key=tf.constant([seed << 32 | purpose], tf.uint64),
        counter=tf.stack([first, tf.constant(0, tf.uint64)]),
        alg=_PHILOX,
        dtype=dtype,
    )
    return tf.reshape(numbers[:, :size], [-1, *shape])


def seed_keras(seed: int) -> None:
    """Seeds the generators of Keras, which draw initial weights and dropout.

    Keras's layers create their own generators, in the order in which the layers
    are built. They only take the run's seed as a whole, so the order of the
    layers plays the role of the position.

    Args:
      seed: The run's seed.
    """
    keras.utils.set_random_seed(seed)
