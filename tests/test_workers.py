"""Several workers: real processes that communicate."""

import signal

import numpy as np
import pytest

import trainers
from kill_and_resume import run_with_kills
from run_directories import assert_equal, count_lines, read_losses
from trainer.model.networks import NETWORKS

NUM_STEPS = 100
SETTINGS = {
    "global_batch_size": 48,
    "epochs": 10,
    "log_every_steps": 1,
    "checkpoint_every_steps": 7,
}
"""Settings of a run of `NUM_STEPS` steps on `seqdigits/tiny`."""


@pytest.fixture
def flags(tiny_data_dir):
    return [
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        *(f"--{name}={value}" for name, value in SETTINGS.items()),
    ]


@pytest.fixture
def run_once(flags, share):
    """Runs the trainer with a strategy, and returns the run directory."""

    def get(strategy, *more, program=trainers.SMALL):
        def fill(folder):
            trainers.run_all(
                strategy,
                folder,
                *flags,
                *more,
                f"--workdir={folder / 'run'}",
                program=program,
            )

        name = "_".join(
            ["run", strategy, *more, str(program == trainers.SMALL)]
        )
        return share(name, fill) / "run"

    return get


@pytest.fixture
def alone(share, train_here):
    """The directory of the same run on one device."""
    return share("run_alone", lambda folder: train_here(folder, **SETTINGS))


@pytest.mark.parametrize("model", ["slot_resnet", "sequence_reader"])
def test_the_models_train_alike_on_two_replicas(train_here, tmp_path, model):
    settings = {
        "model": model,
        "global_batch_size": 24,
        "max_steps": 8,
        "log_every_steps": 1,
    }
    train_here(tmp_path / "one", **settings)
    train_here(
        tmp_path / "two", **settings, strategy="mirrored", virtual_devices=2
    )
    losses = read_losses(tmp_path / "one")
    assert len(losses) == 8
    assert losses[-1] < losses[0]
    assert read_losses(tmp_path / "two") == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize(
    "strategy", ["mirrored_3", "multi_worker_2", "multi_worker_3"]
)
def test_all_strategies_train_alike(run_once, alone, strategy):
    losses = read_losses(alone)
    assert len(losses) == NUM_STEPS
    assert losses[-1] < 0.7 * losses[0]
    assert read_losses(run_once(strategy)) == pytest.approx(losses, rel=1e-5)


def test_stopped_and_killed_workers_resume(flags, run_once, tmp_path):
    workdir = tmp_path / "killed"
    chief, other = trainers.start_all(
        "multi_worker_2",
        tmp_path,
        *flags,
        f"--workdir={workdir}",
        program=trainers.SMALL,
    )
    chief.wait_until(lambda: count_lines(workdir, "train") > 1)
    other.process.send_signal(signal.SIGTERM)
    assert [chief.wait(), other.wait()] == [143, 143]
    line = chief.output.splitlines()[-1]
    assert line.startswith("Stopped by another worker. Step ")
    step = int(line.split("Step ")[1].split()[0])
    assert list((workdir / "checkpoints").glob(f"step-*{step}.*"))
    # The other worker prints nothing about training.
    assert "Epoch" not in other.output
    # One worker is killed. Then both are started again, and finish.
    run_with_kills(
        "multi_worker_2",
        1,
        1,
        tmp_path,
        flags,
        run_once("multi_worker_2"),
        trainers.SMALL,
    )


@pytest.mark.long
def test_a_finished_run_is_known_to_all_workers(flags, run_once, tmp_path):
    workdir = run_once("multi_worker_2")
    chief, other = trainers.run_all(
        "multi_worker_2",
        tmp_path,
        *flags,
        f"--workdir={workdir}",
        program=trainers.SMALL,
    )
    assert "is already finished" in chief.output
    assert "Epoch" not in other.output


@pytest.mark.long
def test_workers_with_different_settings_are_rejected(flags, tmp_path):
    chief, other = (
        trainers.start(
            tmp_path / f"{seed}.log",
            *flags,
            "--strategy=multi_worker",
            f"--workdir={tmp_path / 'run'}",
            f"--seed={seed}",
            TF_CONFIG=tf_config,
            program=trainers.SMALL,
        )
        for seed, tf_config in enumerate(trainers.make_tf_configs(2))
    )
    assert [chief.wait(), other.wait()] == [1, 1]
    for trainer, message in (
        (chief, "lost contact with another worker"),
        (other, "must have the same settings"),
    ):
        assert "Traceback" not in trainer.output
        line = trainer.output.splitlines()[-1]
        assert line.startswith("error: ")
        assert message in line


@pytest.mark.long
@pytest.mark.parametrize("strategy", list(trainers.STRATEGIES)[1:])
def test_the_default_model_trains_alike(run_once, strategy):
    expected = read_losses(run_once("one_device", program=trainers.DEFAULT))
    assert len(expected) == NUM_STEPS
    # Smoothed labels leave a loss to the best of models: their entropy.
    smoothing = NETWORKS["slot_resnet"].recipe.label_smoothing
    labels = np.full(11, smoothing / 11)
    labels[0] += 1 - smoothing
    least = -5 * (labels * np.log(labels)).sum()
    assert expected[-1] - least < 0.1 * (expected[0] - least)
    found = read_losses(run_once(strategy, program=trainers.DEFAULT))
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.long
def test_loss_scaling_depends_on_the_global_batch(run_once):
    alone, shared = (
        read_losses(
            run_once(
                strategy,
                "--max_steps=10",
                "--precision=mixed_float16",
                program=trainers.DEFAULT,
            )
        )
        for strategy in ("one_device", "mirrored_3")
    )
    assert len(alone) == 10
    assert shared == pytest.approx(alone, rel=1e-2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("strategy", "num_kills", "more"),
    [
        ("one_device", 3, ["--train_sequences=fresh"]),
        ("mirrored_2", 2, ["--input=disk"]),
        ("multi_worker_2", 2, []),
    ],
)
def test_the_default_model_survives_kills(
    flags, run_once, tmp_path, strategy, num_kills, more
):
    summary = run_with_kills(
        strategy,
        num_kills,
        5,
        tmp_path,
        [*flags, *more],
        run_once(strategy, *more, program=trainers.DEFAULT),
    )
    assert summary["steps"] == NUM_STEPS
    assert len(summary["steps_when_killed"]) == num_kills


@pytest.mark.long
def test_a_run_does_not_depend_on_the_process(flags, alone, tmp_path):
    trainers.run_all(
        "one_device",
        tmp_path,
        *flags,
        f"--workdir={tmp_path / 'run'}",
        program=trainers.SMALL,
    )
    assert_equal(tmp_path / "run", alone)
