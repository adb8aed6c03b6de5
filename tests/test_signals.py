"""Runs that are interrupted by signals, and resumed."""

import signal

import pytest

import trainers
from helpers import SHORT, send_signal_at
from kill_and_resume import run_with_kills
from run_directories import assert_equal, count_lines, read_metrics
from seqdigits_tfds import records
from trainer.run import loop
from trainer.run.checkpoints import Checkpoints
from trainer.run.history import History


def read_message(capsys, signum):
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"Stopped by {signal.Signals(signum).name}.")
    assert line.endswith("Run the same command again to resume.")
    return line


@pytest.mark.parametrize(
    ("owner", "name", "call", "step", "signum"),
    [
        # While a line of metrics is written, for steps 4 and 5.
        (History, "append", 2, 5, signal.SIGINT),
        # Step 5 ends an epoch: its validation is completed first.
        (History, "append", 3, 6, signal.SIGTERM),
        (loop, "predict_split", 1, 6, signal.SIGTERM),
        # While the checkpoint of step 3 is written.
        (Checkpoints, "_write", 1, 4, signal.SIGTERM),
    ],
)
def test_a_signal_saves_and_stops(
    train_here,
    short_run,
    tmp_path,
    monkeypatch,
    capsys,
    owner,
    name,
    call,
    step,
    signum,
):
    workdir = tmp_path / "run"
    with monkeypatch.context() as patch:
        send_signal_at(patch, owner, name, call, signum)
        with pytest.raises(SystemExit) as stopped:
            train_here(workdir, **SHORT)
    assert stopped.value.code == 128 + signum
    assert f"Step {step} is saved." in read_message(capsys, signum)
    assert read_metrics(workdir)[-1]["step"] <= step
    assert not list(workdir.rglob("partial*"))
    assert not (workdir / "results.json").exists()
    train_here(workdir, **SHORT)
    assert f"resuming after step {step}" in capsys.readouterr().out
    assert_equal(workdir, short_run)


def test_a_signal_during_the_test_stops_immediately(
    train_here, short_run, tmp_path, monkeypatch, capsys
):
    workdir = tmp_path / "run"
    with monkeypatch.context() as patch:
        # The validations of two epochs, then the test.
        send_signal_at(patch, loop, "predict_split", 3)
        with pytest.raises(SystemExit) as stopped:
            train_here(workdir, **SHORT)
    assert stopped.value.code == 143
    read_message(capsys, signal.SIGTERM)
    assert not (workdir / "results.json").exists()
    train_here(workdir, **SHORT)
    assert_equal(workdir, short_run)


def test_a_signal_during_preparation_leaves_no_files(
    train_here, tmp_path, monkeypatch
):
    send_signal_at(monkeypatch, records, "encode_examples", 3)
    with pytest.raises(SystemExit):
        train_here(
            tmp_path / "run",
            dataset="seqdigits/optdigits",
            data_dir=str(tmp_path / "data"),
        )
    assert not list(tmp_path.rglob("*.tfrecord*"))
    assert not list(tmp_path.rglob("incomplete*"))
    assert not (tmp_path / "run").exists()


def test_a_run_stopped_several_times_has_the_same_result(
    train_here, short_run, tmp_path, monkeypatch
):
    for _ in range(2):
        with monkeypatch.context() as patch:
            send_signal_at(patch, History, "append", 1)
            with pytest.raises(SystemExit):
                train_here(tmp_path, **SHORT)
    train_here(tmp_path, **SHORT)
    assert_equal(tmp_path, short_run)


LONG = {
    "epochs": 12,
    "global_batch_size": 48,
    "log_every_steps": 1,
    "checkpoint_every_steps": 7,
}
"""Settings of a run that takes long enough to be interrupted."""


@pytest.fixture
def long_flags(tiny_data_dir):
    return [
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        "--strategy=one_device",
        *(f"--{name}={value}" for name, value in LONG.items()),
    ]


@pytest.fixture
def long_run(share, train_here):
    """The directory of an undisturbed run with the settings `LONG`."""
    return share("long_run", lambda folder: train_here(folder, **LONG))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_process(
    long_flags, long_run, train_here, tmp_path, signum
):
    workdir = tmp_path / "run"
    trainer = trainers.start(
        tmp_path / "log",
        *long_flags,
        f"--workdir={workdir}",
        program=trainers.SMALL,
    )
    trainer.wait_until(lambda: count_lines(workdir, "train") >= 2)
    trainer.process.send_signal(signum)
    assert trainer.wait() == 128 + signum, trainer.output
    assert "Traceback" not in trainer.output
    line = trainer.output.splitlines()[-1]
    step = read_metrics(workdir)[-1]["step"]
    assert line == (
        f"Stopped by {signal.Signals(signum).name}. Step {step} is saved. Run"
        " the same command again to resume."
    )
    train_here(workdir, **LONG)
    assert_equal(workdir, long_run)


def test_a_killed_process_resumes(long_flags, long_run, tmp_path):
    summary = run_with_kills(
        "one_device", 1, 0.3, tmp_path, long_flags, long_run, trainers.SMALL
    )
    assert summary["steps"] == 120
    assert 0 < summary["steps_when_killed"][0] < 120
