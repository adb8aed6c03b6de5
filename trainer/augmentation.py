"""Random distortion of training images: as if written by another hand.

A coarse grid of control points is laid over the image, two for each digit in
each direction; each is moved at random, a smooth surface (a uniform cubic
B-spline) through their moves says where each pixel comes from, and the image is
sampled there. That shifts, turns, shears, stretches and bends each digit a
little, all at once (Simard et al., "Best practices for convolutional neural
networks applied to visual document analysis", ICDAR 2003, with a grid in place
of their blurred noise).
"""

import dataclasses

import numpy as np
import tensorflow as tf

from trainer.randomness import ALGORITHM, Purpose, make_seed

_CELL_SIZE = 28
"""Height and width of a digit before resizing: the unit of displacements."""

_INTERVALS = 2
"""Grid intervals of a digit, in each direction."""


@dataclasses.dataclass(frozen=True)
class Distortion:
    """Moves of control points, and what they do to images.

    Attributes:
      num_positions: Digits that an image has room for.
      strength: Standard deviation of the moves, in pixels of a digit's 28x28
        cell.
    """

    num_positions: int
    strength: float

    def draw(self, seed: int, step: tf.Tensor, num_images: int) -> tf.Tensor:
        """Draws the moves of a batch's control points.

        Args:
          seed: The run's.
          step: The batch's number.
          num_images: The batch's size.

        Returns:
          float32 [num_images, 2, rows, columns], in pixels of a cell, down and
          to the right.
        """
        rows, columns = (
            # A cubic B-spline takes one more control point at each end.
            _INTERVALS * cells + 3
            for cells in (1, self.num_positions)
        )
        return self.strength * tf.random.stateless_normal(
            [num_images, 2, rows, columns],
            make_seed(seed, Purpose.AUGMENTATION, step),
            alg=ALGORITHM,
        )

    def apply(self, images: tf.Tensor, moves: tf.Tensor) -> tf.Tensor:
        """Distorts images.

        Args:
          images: uint8 [b, height, width, 1].
          moves: float32 [b, 2, rows, columns], as `draw` gives them.

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
    """Makes float32 [size, num_points]: control points -> values at pixels."""
    places = np.linspace(0, num_points - 3, size)
    distances = np.abs(places[:, None] + 1 - np.arange(num_points))
    near = 2 / 3 - distances**2 * (1 - distances / 2)
    far = np.maximum(2 - distances, 0) ** 3 / 6
    return np.where(distances < 1, near, far).astype(np.float32)


def _sample(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Reads images at places float32 [b, height, width], in pixels."""
    _, height, width, _ = images.shape
    # Outside an image is what its border has: background.
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
