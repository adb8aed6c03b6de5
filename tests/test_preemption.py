"""SIGTERM at any moment: saved, said, and gone on from."""

import signal
import time

import pytest

from conftest import NO_NETWORK, train
from kill_and_resume import assert_equal, read_metrics
from trainers import start

EXIT_CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
FLAGS = (
    "--strategy=one_device",
    "--epochs=2",
    "--global_batch_size=96",
    "--log_every_steps=1",
)


@pytest.fixture(scope="module")
def flags(preemption_data_dir):
    """Flags of a run that evaluates for long enough to be hit while at it."""
    return (
        *FLAGS,
        "--dataset=seqdigits/evaluated",
        f"--data_dir={preemption_data_dir}",
    )


@pytest.fixture(scope="module")
def undisturbed(flags, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("undisturbed") / "run"
    train(*flags, f"--workdir={workdir}")
    return workdir


def wait_until(condition, trainer, timeout=120):
    deadline = time.monotonic() + timeout
    while not condition():
        assert trainer.process.poll() is None, trainer.output
        assert time.monotonic() < deadline, trainer.output
        time.sleep(0.001)


def terminate(trainer, signum=signal.SIGTERM):
    """Sends the signal; returns the last line of what the trainer says."""
    trainer.process.send_signal(signum)
    assert trainer.wait() == EXIT_CODES[signum], trainer.output
    assert "Traceback" not in trainer.output
    line = trainer.output.splitlines()[-1]
    assert line.startswith(f"Stopped by {signal.Signals(signum).name}.")
    assert line.endswith("Start the same command again to go on.")
    return line


def assert_nothing_half_written(workdir):
    assert not list(workdir.rglob("partial*"))
    assert not (workdir / "results.json").exists()


def count_lines(workdir, split):
    metrics = workdir / "metrics.jsonl"
    if not metrics.exists():
        return 0
    return metrics.read_text().count(f'"split": "{split}"')


@pytest.mark.parametrize("moment", ["training", "validation", "checkpoint"])
def test_what_was_done_is_saved(flags, undisturbed, tmp_path, moment):
    workdir = tmp_path / "run"
    flags = (*flags, f"--workdir={workdir}")
    extra = ("--checkpoint_every_steps=1",) if moment == "checkpoint" else ()
    trainer = start(tmp_path / "log", *flags, *extra)
    wait_until(
        {
            "training": lambda: count_lines(workdir, "train") >= 2,
            # The last line before the first validation.
            "validation": lambda: count_lines(workdir, "train") == 5,
            "checkpoint": (workdir / "checkpoints" / "partial.npz").exists,
        }[moment],
        trainer,
    )
    line = terminate(trainer)
    if moment == "validation":
        # It is ended first, and then the next step.
        assert count_lines(workdir, "validation") == 1
    assert_nothing_half_written(workdir)
    steps = [m["step"] for m in read_metrics(workdir) if m["split"] == "train"]
    assert f"Step {steps[-1]} is saved." in line
    trainer = start(tmp_path / "log", *flags)
    assert trainer.wait() == 0, trainer.output
    assert f"going on after {steps[-1]}" in trainer.output
    assert_equal(workdir, undisturbed)


def test_a_run_stopped_while_it_is_tested_ends_later(
    flags, undisturbed, tmp_path
):
    workdir = tmp_path / "run"
    flags = (*flags, f"--workdir={workdir}")
    trainer = start(tmp_path / "log", *flags)
    wait_until(lambda: count_lines(workdir, "validation") == 2, trainer)
    terminate(trainer)
    assert_nothing_half_written(workdir)
    train(*flags)
    assert_equal(workdir, undisturbed)


def test_dataset_preparation_leaves_nothing(tmp_path):
    flags = (
        "--dataset=seqdigits/optdigits",
        "--max_steps=1",
        f"--data_dir={tmp_path / 'data'}",
        f"--workdir={tmp_path / 'run'}",
    )
    trainer = start(tmp_path / "log", *flags, **NO_NETWORK)
    incomplete = "data/seqdigits/optdigits/incomplete*/*.tfrecord*"
    wait_until(lambda: list(tmp_path.glob(incomplete)), trainer)
    terminate(trainer)
    assert not list(tmp_path.rglob("*.tfrecord*"))
    assert not list(tmp_path.rglob("incomplete*"))
    assert not (tmp_path / "run").exists()
    train(*flags)


def test_ctrl_c_is_as_orderly(flags, tmp_path):
    workdir = tmp_path / "run"
    trainer = start(tmp_path / "log", *flags, f"--workdir={workdir}")
    wait_until(lambda: count_lines(workdir, "train") >= 2, trainer)
    assert "is saved" in terminate(trainer, signal.SIGINT)
