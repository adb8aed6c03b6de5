import numpy as np

from trainer.run.tensorboard import TensorBoardWriter


def list_steps(path):
    return [p.suffix for p in path.glob("validation/*.step-*")]


def test_images_of_a_step_replace_older_ones(tmp_path):
    images = np.zeros((9, 8, 8, 1), np.uint8)
    for _ in range(2):
        TensorBoardWriter(tmp_path).write_images(3, images, ["12, 13"] * 9)
    assert list_steps(tmp_path) == [".step-3"]


def test_a_validation_without_mistakes_is_written(tmp_path):
    TensorBoardWriter(tmp_path).write_images(
        5, np.empty((0, 1, 1, 1), np.uint8), []
    )
    assert list_steps(tmp_path) == [".step-5"]
