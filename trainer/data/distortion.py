"""Random distortion of training images, similar to variations of handwriting.

A coarse grid of control points is laid over the image, with two intervals for
each digit in each direction. Every point is moved at random, and a uniform
cubic B-spline smooths these moves: it gives the position at which the image is
sampled for each pixel. This shifts, rotates, shears, stretches and
bends each digit a little, in one operation (Simard et al., "Best practices for
convolutional neural networks applied to visual document analysis", ICDAR 2003,
with a grid instead of their blurred noise).
"""

import dataclasses

import numpy as np
import tensorflow as tf

from trainer.data.randomness import ALGORITHM, Purpose, make_seed

_CELL_SIZE = 28
"""Height and width of a digit's cell before resizing, in pixels. Moves are
measured in these pixels."""

_INTERVALS = 2
"""Number of grid intervals for each digit, in each direction."""


@dataclasses.dataclass(frozen=True)
class Distortion:
    """Draws moves of control points and applies them to images.

    Attributes:
      num_positions: Number of digits that fit into an image.
      strength: Standard deviation of the moves, in pixels of a digit's 28x28
        cell. At least 0.
    """

    num_positions: int
    strength: float

    def draw(self, seed: int, step: tf.Tensor, num_images: int) -> tf.Tensor:
        """Draws the moves of the control points for one global batch.

        Args:
          seed: The run's seed.
          step: Index of the batch, int64 [].
          num_images: Size of the batch.

        Returns:
          float32 [num_images, 2, rows, columns], in pixels of a cell; axis 1 is
          (down, right).
        """
        rows, columns = (
            # A cubic B-spline needs one extra control point at each end.
            _INTERVALS * cells + 3
            for cells in (1, self.num_positions)
        )
        return self.strength * tf.random.stateless_normal(
            [num_images, 2, rows, columns],
            make_seed(seed, Purpose.DISTORTION, step),
            alg=ALGORITHM,
        )

    def apply(self, images: tf.Tensor, moves: tf.Tensor) -> tf.Tensor:
        """Distorts images.

        Args:
          images: uint8 [b, height, width, 1].
          moves: float32 [b, 2, rows, columns], from `draw`.

        Returns:
          uint8 [b, height, width, 1], sampled bilinearly.
        """
        _, height, width, _ = images.shape
        down = _make_spline_matrix(height, moves.shape[2])
        right = _make_spline_matrix(width, moves.shape[3])
        moved = tf.einsum("bkrc,xc->bkrx", moves, right)
        moved = tf.einsum("yr,bkrx->bkyx", down, moved)
        y = tf.range(height, dtype=tf.float32)[:, None] + moved[:, 0] * (
            height / _CELL_SIZE
        )
        x = tf.range(width, dtype=tf.float32) + moved[:, 1] * (
            width / (_CELL_SIZE * self.num_positions)
        )
        return _sample(images, y, x)


def _make_spline_matrix(size: int, num_points: int) -> np.ndarray:
    """Makes the matrix that maps control points to pixels.

    Args:
      size: Number of pixels.
      num_points: Number of control points.

    Returns:
      float32 [size, num_points].
    """
    places = np.linspace(0, num_points - 3, size)
    distances = np.abs(places[:, None] + 1 - np.arange(num_points))
    near = 2 / 3 - distances**2 * (1 - distances / 2)
    far = np.maximum(2 - distances, 0) ** 3 / 6
    return np.where(distances < 1, near, far).astype(np.float32)


def _sample(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Samples images at the positions y and x, float32 [b, height, width]."""
    _, height, width, _ = images.shape
    # Positions outside an image take the border's value: background.
    y = tf.clip_by_value(y, 0, height - 1)
    x = tf.clip_by_value(x, 0, width - 1)
    top, left = (
        tf.minimum(tf.floor(y), height - 2),
        tf.minimum(tf.floor(x), width - 2),
    )
    down, right = y - top, x - left
    first = tf.range(tf.shape(images)[0])[:, None, None] * (height * width)
    corner = first + tf.cast(top * width + left, tf.int32)
    pixels = tf.cast(tf.reshape(images, [-1]), tf.float32)
    above, below = (
        (1 - right) * tf.gather(pixels, row)
        + right * tf.gather(pixels, row + 1)
        for row in (corner, corner + width)
    )
    sampled = (1 - down) * above + down * below
    return tf.cast(tf.round(sampled), tf.uint8)[..., None]
