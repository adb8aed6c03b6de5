"""Random distortion of training images, similar to variations of handwriting.

A coarse grid of control points is laid over the image, with two intervals for
each cell, the room of a digit, in each direction. Every point is moved at
random, and a uniform cubic B-spline smooths these moves: it gives the position
at which the image is sampled for each pixel. This shifts, rotates, shears,
stretches and bends each digit a little, in one operation (Simard et al., "Best
practices for convolutional neural networks applied to visual document
analysis", ICDAR 2003, with a grid instead of their blurred noise).
"""

import dataclasses

import numpy as np
import tensorflow as tf

from seqdigits_tfds.builder_config import TILED
from trainer.data.randomness import Purpose, draw
from trainer.data.sequences import ExampleShape

_CELL_SIZE = 28
"""Moves are measured in pixels of a cell of this height and width."""

_INTERVALS = 2
"""Number of grid intervals for each cell, in each direction."""


@dataclasses.dataclass(frozen=True)
class Distortion:
    """Distorts images; the noise is a function of seed and position.

    Attributes:
      seed: The run's seed, 0..2**32 - 1.
      cells: Numbers of cells of an image, (down, right); see `count_cells`.
      strength: Standard deviation of the moves, in pixels of a digit's 28x28
        cell. At least 0.
    """

    seed: int
    cells: tuple[int, int]
    strength: float

    def __call__(self, images: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Distorts the images at some positions of a run.

        Args:
          images: uint8 [b, height, width, 1].
          positions: int64 [b], consecutive.

        Returns:
          uint8 [b, height, width, 1].
        """
        if self.strength == 0:
            return images
        return self.apply(images, self.draw(positions))

    def draw(self, positions: tf.Tensor) -> tf.Tensor:
        """Draws the moves of the control points.

        Args:
          positions: int64 [b], consecutive.

        Returns:
          float32 [b, 2, rows, columns], in pixels of a cell; axis 1 is (down,
          right).
        """
        rows, columns = (
            # A cubic B-spline needs one extra control point at each end.
            _INTERVALS * number + 3
            for number in self.cells
        )
        return self.strength * draw(
            self.seed,
            Purpose.DISTORTION,
            positions,
            [2, rows, columns],
            tf.float32,
        )

    def apply(self, images: tf.Tensor, moves: tf.Tensor) -> tf.Tensor:
        """Moves control points.

        Args:
          images: uint8 [b, height, width, 1].
          moves: float32 [b, 2, rows, columns], see `draw`.

        Returns:
          uint8 [b, height, width, 1], sampled bilinearly.
        """
        _, height, width, _ = images.shape
        _, _, rows, columns = moves.shape
        # A spline reproduces linear functions: if a point's coordinate is added
        # to its move, the sum is where to sample the image.
        y = moves[:, 0] * (height / (_CELL_SIZE * self.cells[0]))
        y += _space_points(height, rows)[:, None]
        x = moves[:, 1] * (width / (_CELL_SIZE * self.cells[1]))
        x += _space_points(width, columns)
        down, right = (
            _make_spline_matrix(height, rows),
            _make_spline_matrix(width, columns),
        )
        # On some machines, the rounding of a matrix product depends on the size
        # of the batch. Float64 keeps that out of the float32 result.
        y, x = (
            tf.cast(
                tf.matmul(
                    down,
                    tf.matmul(
                        tf.cast(points, tf.float64), right, transpose_b=True
                    ),
                ),
                tf.float32,
            )
            for points in (y, x)
        )
        return _sample(images, y, x)


def count_cells(shape: ExampleShape, layout: str) -> tuple[int, int]:
    """Returns into how many cells (down, right) an image is divided.

    With the layout "tiled", they are those of the digits. Otherwise they are
    about square, and half as high as the image.

    Args:
      shape: The shape of the examples.
      layout: Their layout; see `seqdigits_tfds.SeqDigitsConfig`.
    """
    if layout == TILED:
        return 1, shape.num_positions
    height, width, _ = shape.image
    return 2, max(1, round(2 * width / height))


def _space_points(size: int, num_points: int) -> np.ndarray:
    """Returns the undistorted coordinates of control points, float32."""
    step = (size - 1) / (num_points - 3)
    return (step * (np.arange(num_points) - 1)).astype(np.float32)


def _make_spline_matrix(size: int, num_points: int) -> np.ndarray:
    """Makes the matrix that maps control points to pixels.

    Args:
      size: Number of pixels.
      num_points: Number of control points.

    Returns:
      float64 [size, num_points].
    """
    places = np.linspace(0, num_points - 3, size)
    distances = np.abs(places[:, None] + 1 - np.arange(num_points))
    near = 2 / 3 - distances**2 * (1 - distances / 2)
    far = np.maximum(2 - distances, 0) ** 3 / 6
    return np.where(distances < 1, near, far)


def _sample(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Samples images at the positions y and x, float32 [b, height, width]."""
    _, height, width, _ = images.shape
    # Positions outside an image take the border's value: background.
    y = tf.clip_by_value(y, 0, height - 1)
    x = tf.clip_by_value(x, 0, width - 1)
    top, left = tf.cast(y, tf.int32), tf.cast(x, tf.int32)
    down, right = y - tf.cast(top, y.dtype), x - tf.cast(left, x.dtype)
    # One 32-bit number holds a pixel and its neighbours to the right, below,
    # and below to the right, so that one `gather` reads all four. At the last
    # row and column, the neighbours beyond the border have the weight 0.
    pixels = tf.cast(tf.pad(images[..., 0], [[0, 0], [0, 1], [0, 1]]), tf.int32)
    pairs = pixels[:, :, :-1] + pixels[:, :, 1:] * 2**8
    squares = pairs[:, :-1] + pairs[:, 1:] * 2**16
    first = tf.range(tf.shape(images)[0])[:, None, None] * (height * width)
    found = tf.gather(tf.reshape(squares, [-1]), first + (top * width + left))
    corners = [
        tf.cast(tf.bitwise.right_shift(found, shift) & 255, tf.float32)
        for shift in (0, 8, 16, 24)
    ]
    above = corners[0] + right * (corners[1] - corners[0])
    below = corners[2] + right * (corners[3] - corners[2])
    sampled = above + down * (below - above)
    return tf.cast(tf.round(sampled), tf.uint8)[..., None]
