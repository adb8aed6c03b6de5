import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import plugin_data_pb2

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


def test_the_hparams_tab_has_the_last_starts_settings(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    for seed in (1, 2):
        writer.write_settings({"seed": seed, "model": "m", "max_steps": None})
    (path,) = tmp_path.glob("*.settings")
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            content = plugin_data_pb2.HParamsPluginData.FromString(
                value.metadata.plugin_data.content
            )
            found[value.tag] = content
    start = found["_hparams_/session_start_info"].session_start_info
    assert start.hparams["seed"].number_value == 2
    assert start.hparams["model"].string_value == "m"
    assert set(start.hparams) == {"seed", "model"}
    metrics = found["_hparams_/experiment"].experiment.metric_infos
    assert [metric.name.tag for metric in metrics] == [
        "sequence_accuracy",
        "loss",
    ]
