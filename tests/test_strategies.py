"""The same run from any number of replicas, in real processes."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from trainer.input_pipeline import make_train_dataset
from trainer.splits import MemorySplit

from conftest import ROOT, run_python
from kill_and_resume import read_metrics, run_with_kills
from trainers import STRATEGIES, make_tf_configs, run_all

NUM_STEPS = 100


@pytest.fixture(scope="session")
def run_flags(tiny_data_dir):
    """Flags of the first steps of the default model and recipe."""
    return [
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        "--global_batch_size=48",
        "--epochs=12",
        f"--max_steps={NUM_STEPS}",
        "--log_every_steps=1",
        "--checkpoint_every_steps=7",
    ]


@pytest.fixture(scope="session")
def train_once(run_flags, share):
    """Gives the directory of a run that other tests may use, too."""

    def get(strategy, *flags):
        def fill(folder):
            workdir = f"--workdir={folder / 'run'}"
            run_all(strategy, folder, *run_flags, workdir, *flags)

        return share("_".join(["run", strategy, *flags]), fill) / "run"

    return get


def read_losses(workdir):
    return [m["loss"] for m in read_metrics(workdir) if m["split"] == "train"]


@pytest.mark.parametrize("strategy", list(STRATEGIES)[1:])
def test_all_strategies_train_alike(train_once, strategy):
    alone = read_losses(train_once("one_device"))
    assert len(alone) == NUM_STEPS
    assert alone[-1] < 0.1 * alone[0]
    shared = read_losses(train_once(strategy))
    assert shared == pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize(
    ("flags", "tolerance"),
    [(["--clip_norm=0.5"], 1e-4), (["--precision=mixed_float16"], 1e-2)],
)
def test_clipping_and_scaling_concern_the_global_batch(
    train_once, flags, tolerance
):
    alone, shared = (
        read_losses(train_once(strategy, "--max_steps=10", *flags))
        for strategy in ("one_device", "mirrored_3")
    )
    assert len(alone) == 10
    assert alone[-1] < 0.5 * alone[0]
    assert shared == pytest.approx(alone, rel=tolerance)


def read_batches(strategy, *numbers):
    """Rows [step, element] of the global batches that real processes read."""
    name, _, num_replicas = strategy.rpartition("_")
    environments, num_devices = [{}], num_replicas
    if name == "multi_worker":
        tf_configs = make_tf_configs(int(num_replicas))
        environments, num_devices = [{"TF_CONFIG": x} for x in tf_configs], 0
    processes = [
        subprocess.Popen(
            [sys.executable, ROOT / "tests" / "read_batches.py", name]
            + [str(number) for number in (num_devices, *numbers)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        for environment in environments
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
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
    # In the order that does not know of replicas.
    split = MemorySplit(
        tf.zeros((num_examples, 1, 1, 1)), tf.range(num_examples)
    )
    batches = make_train_dataset(split, batch_size, seed).take(num_steps)
    assert (rows == [labels.numpy() for _, labels in batches]).all()


def test_fresh_and_distorted_images_do_not_depend_on_replicas():
    alone, mirrored, workers = (
        read_batches(strategy, 0, 12, 10, 5)
        for strategy in ("one_device_1", "mirrored_2", "multi_worker_2")
    )
    assert len(np.unique(alone)) == alone.size == 120
    assert (alone == mirrored).all()
    assert (alone == workers).all()


@pytest.mark.parametrize(
    ("strategy", "num_kills", "source"),
    [
        ("one_device", 2, "recomposed"),
        ("mirrored_2", 1, "records"),
        ("multi_worker_2", 1, "records"),
    ],
)
def test_a_killed_run_ends_as_if_undisturbed(
    run_flags, train_once, tmp_path, strategy, num_kills, source
):
    extra = [] if source == "records" else [f"--train_source={source}"]
    summary = run_with_kills(
        strategy,
        num_kills,
        5,
        tmp_path,
        [*run_flags, *extra],
        train_once(strategy, *extra),
    )
    assert summary["steps"] == NUM_STEPS
    assert len(summary["steps_when_killed"]) == num_kills


def test_evaluation_counts_each_image_once(first_run, optdigits_data_dir):
    """With equal figures for all batch sizes and numbers of replicas."""
    figures = []
    for num_replicas in ("1", "2", "3"):
        done = run_python(
            ROOT / "tests" / "evaluate_at_sizes.py",
            first_run / "my_run" / "model.keras",
            "seqdigits/optdigits",
            "120",
            num_replicas,
            *("1", "7", "128", "10000"),
            PYTHONPATH=str(ROOT),
            TFDS_DATA_DIR=str(optdigits_data_dir),
        )
        figures += json.loads(done.stdout.splitlines()[-1])
    assert len(figures) == 12
    assert figures[0]["num_images"] == 120
    assert figures[0]["sequence_accuracy"] > 0.9
    losses = [evaluation.pop("loss") for evaluation in figures]
    assert losses == pytest.approx([losses[0]] * 12, rel=1e-5)
    assert all(evaluation == figures[0] for evaluation in figures)
