import dataclasses

import numpy as np
import pytest
import scipy.interpolate
import scipy.ndimage
import tensorflow as tf
import tensorflow_datasets as tfds

from trainer.data.sequences import ExampleShape
from trainer.model.distortion import Distortion, count_cells

BATCH_SIZE = 32


@pytest.fixture(scope="module")
def images(tiny_data_dir):
    dataset = tfds.load("seqdigits/tiny", split="train", data_dir=tiny_data_dir)
    return next(iter(dataset.batch(BATCH_SIZE)))["image"].numpy()


@pytest.fixture(scope="module")
def distortion():
    return Distortion(seed=0, cells=(1, 5), strength=1.5)


def draw(distortion, start=0):
    positions = tf.range(start, start + BATCH_SIZE, dtype=tf.int64)
    return distortion.draw(positions).numpy()


def test_a_cell_is_the_room_of_a_digit():
    assert count_cells(ExampleShape((64, 64, 1), 5, 11), "tiled") == (1, 5)
    wide = ExampleShape((64, 128, 1), 7, 11)
    assert count_cells(wide, "scattered") == (2, 4)


def test_without_moves_images_are_unchanged(distortion, images):
    moves = np.zeros_like(draw(distortion))
    assert (distortion.apply(images, moves).numpy() == images).all()


def test_moving_all_points_moves_the_image(distortion, images):
    # By 3 pixels of the image upwards, and 2 to the left.
    unit = [28 / 64, 5 * 28 / 64]
    moves = np.ones_like(draw(distortion))
    moves *= np.reshape(np.multiply(unit, [3, 2]), (2, 1, 1))
    found = distortion.apply(images, moves).numpy()
    assert (found[:, :-3, :-2] == images[:, 3:, 2:]).all()


def test_a_point_only_moves_nearby_pixels(distortion, images):
    moves = np.zeros(draw(distortion).shape, np.float32)
    moves[:, :, :, 2] = 2.0
    changed = distortion.apply(images, moves).numpy() != images
    columns = np.flatnonzero(changed.any(axis=(0, 1, 3)))
    # A point affects two intervals, each half a digit wide, on either side.
    assert len(columns) > 6
    assert columns.max() <= 3 * 64 / 10 + 1


def test_moves_are_normal_and_independent(distortion):
    draws = np.stack(
        [
            draw(dataclasses.replace(distortion, seed=seed), start)
            for seed in (0, 1)
            for start in (0, BATCH_SIZE)
        ]
    )
    assert draws.shape[1:] == (BATCH_SIZE, 2, 5, 13)
    assert draws.std() == pytest.approx(1.5, rel=0.02)
    assert abs(draws.mean()) < 0.03
    correlations = np.corrcoef(draws.reshape(4 * BATCH_SIZE, -1))
    assert abs(correlations - np.eye(4 * BATCH_SIZE)).max() < 0.6
    assert (draws[0] == draw(distortion)).all()


def test_noise_is_a_function_of_the_position(distortion, images):
    whole = distortion(images, tf.range(BATCH_SIZE, dtype=tf.int64)).numpy()
    assert (whole != images).any()
    for start, stop in ((0, 8), (8, 32), (31, 32)):
        positions = tf.range(start, stop, dtype=tf.int64)
        part = distortion(images[start:stop], positions).numpy()
        assert (part == whole[start:stop]).all()


def test_without_strength_nothing_is_computed(distortion, images):
    nothing = dataclasses.replace(distortion, strength=0.0)
    assert nothing(images, None) is images


def test_sampling_is_bilinear(distortion, images):
    """Compares with the definition, computed in another way."""
    moves = draw(distortion)
    points = np.stack([moves[:, 0] * 64 / 28, moves[:, 1] * 64 / 140])
    down, right = (
        scipy.interpolate.BSpline.design_matrix(
            np.linspace(3, n - 1e-9, 64), np.arange(n + 4.0), 3
        ).toarray()
        for n in (5, 13)
    )
    grid = np.mgrid[:64, :64][:, None]
    where = np.einsum("yr,kbrc,xc->kbyx", down, points, right) + grid
    expected = [
        scipy.ndimage.map_coordinates(
            image[..., 0].astype(float), coordinates, order=1, mode="nearest"
        )
        for image, coordinates in zip(images, where.swapaxes(0, 1), strict=True)
    ]
    found = distortion.apply(images, moves).numpy()[..., 0]
    assert abs(found - np.array(expected)).max() < 0.51


def test_the_result_does_not_depend_on_the_batch(distortion, images):
    moves = draw(distortion)
    eager = distortion.apply(images, moves).numpy()
    assert (eager != images).any()
    alone = [
        distortion.apply(images[i : i + 1], moves[i : i + 1]).numpy()[0]
        for i in range(BATCH_SIZE)
    ]
    assert (eager == alone).all()
    for size in (1, 7, BATCH_SIZE):
        dataset = (
            tf.data.Dataset.from_tensor_slices((images, moves))
            .batch(size)
            .map(distortion.apply, num_parallel_calls=2)
            .unbatch()
        )
        assert (eager == list(dataset.as_numpy_iterator())).all()


def test_digits_stay_readable(images):
    """Most ink stays near its original position."""
    distortion = Distortion(seed=0, cells=(1, 5), strength=1.5)
    distorted = distortion.apply(images, draw(distortion)).numpy()
    assert distorted.mean() == pytest.approx(images.mean(), rel=0.05)
    near = tf.nn.max_pool2d(tf.cast(images, tf.float32), 5, 1, "SAME")
    assert (distorted > 127)[near.numpy() == 0].mean() < 0.001
