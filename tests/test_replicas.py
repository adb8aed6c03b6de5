"""The batches that real replicas and workers read."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import trainers
from helpers import PROGRAMS, ROOT
from trainer.data.pipeline import make_train_dataset
from trainer.data.splits import MemorySplit

pytestmark = pytest.mark.long


def read_batches(strategy, *numbers):
    """Returns rows [step, element] of the batches that real processes read."""
    name, _, num_replicas = strategy.rpartition("_")
    environments, num_devices = [{}], num_replicas
    if name == "multi_worker":
        tf_configs = trainers.make_tf_configs(int(num_replicas))
        environments, num_devices = [{"TF_CONFIG": x} for x in tf_configs], 0
    processes = [
        subprocess.Popen(
            [sys.executable, PROGRAMS / "read_batches.py", name]
            + [str(number) for number in (num_devices, *numbers)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        for environment in environments
    ]
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    # [worker, step, replica, element]
    parts = np.array([json.loads(output) for output in outputs])
    return np.moveaxis(parts, 0, 1).reshape(parts.shape[1], -1)


@pytest.mark.parametrize("strategy", ["mirrored_3", "multi_worker_3"])
def test_each_epoch_is_read_once_over_all_replicas(strategy):
    num_examples, batch_size, num_steps, seed = 103, 12, 60, 5
    rows = read_batches(strategy, num_examples, batch_size, num_steps, seed)
    epochs = rows.ravel()[: 6 * num_examples].reshape(6, num_examples)
    assert (np.sort(epochs) == np.arange(num_examples)).all()
    assert len(np.unique(epochs, axis=0)) == 6
    # The order is that of a single replica.
    split = MemorySplit({"label": tf.range(num_examples)})
    batches = make_train_dataset(split, batch_size, seed).take(num_steps)
    assert (rows == [x["label"].numpy() for _, x in batches]).all()


def test_fresh_and_distorted_images_do_not_depend_on_replicas():
    alone, mirrored, workers = (
        read_batches(strategy, 0, 12, 10, 5)
        for strategy in ("one_device_1", "mirrored_2", "multi_worker_2")
    )
    assert len(np.unique(alone)) == alone.size == 120
    assert (alone == mirrored).all()
    assert (alone == workers).all()
