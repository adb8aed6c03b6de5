"""Runs that are resumed in another way: replicas, workers, shards, input."""

import json
import signal

import pytest

import trainers
from helpers import SHORT, TINY, build_custom
from run_directories import assert_equal, count_lines, read_losses
from trainer.run.history import History

NUM_STEPS = 120


@pytest.fixture
def train_until(train_here, monkeypatch):
    """Trains, and stops after the n-th line of metrics of this process."""

    def run(workdir, num_lines, **settings):
        append, lines = History.append, []

        def append_and_stop(history, metrics):
            lines.append(metrics)
            append(history, metrics)
            if len(lines) == num_lines:
                signal.raise_signal(signal.SIGTERM)

        with monkeypatch.context() as patch:
            patch.setattr(History, "append", append_and_stop)
            with pytest.raises(SystemExit):
                train_here(workdir, **SHORT, **settings)

    return run


def read_segments(workdir):
    return json.loads((workdir / "config.json").read_text())["segments"]


def test_a_run_may_change_between_memory_and_disk(
    train_here, train_until, short_run, tmp_path, capsys
):
    workdir = tmp_path / "run"
    train_until(workdir, 1, input="disk")
    train_until(workdir, 1, input="memory")
    train_until(workdir, 1, input="memory")
    capsys.readouterr()
    train_here(workdir, **SHORT, input="disk")
    assert "changed    input disk (was memory)" in capsys.readouterr().out
    assert_equal(workdir, short_run)
    inputs = [(s["step"], s["input"]) for s in read_segments(workdir)]
    (_, first), (second, middle), (last, end) = inputs
    assert (first, middle, end) == ("disk", "memory", "disk")
    assert 0 < second < last < 10


def test_a_run_may_change_its_replicas_and_shards(
    train_here, train_until, short_run, tmp_path, capsys
):
    build_custom(tmp_path / "data", num_shards=3, **TINY)
    workdir = tmp_path / "run"
    train_until(workdir, 2, strategy="mirrored", virtual_devices=2)
    capsys.readouterr()
    train_here(workdir, **SHORT, data_dir=str(tmp_path / "data"), input="disk")
    assert (
        "changed    strategy one_device (was mirrored), num_replicas 1 (was 2),"
        " num_shards 3 (was 8), input disk (was memory)"
    ) in capsys.readouterr().out
    losses = read_losses(workdir)
    assert losses == pytest.approx(read_losses(short_run), rel=1e-5)
    assert len(losses) == 6
    assert [s["num_replicas"] for s in read_segments(workdir)] == [2, 1]


def test_what_is_repeated_is_not_listed(train_here, tmp_path, monkeypatch):
    """A run that is killed before its first checkpoint begins again."""

    class KilledError(Exception):
        pass

    def kill(*_):
        raise KilledError

    workdir = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(History, "append", kill)
        with pytest.raises(KilledError):
            train_here(workdir, **SHORT, input="disk")
    train_here(workdir, **SHORT)
    assert [s["input"] for s in read_segments(workdir)] == ["memory"]


@pytest.mark.long
def test_a_killed_run_resumes_on_other_devices(tiny_data_dir, tmp_path):
    flags = [
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        f"--max_steps={NUM_STEPS}",
        "--epochs=100",
        "--global_batch_size=48",
        "--log_every_steps=1",
        "--checkpoint_every_steps=7",
    ]
    workdir, alone = tmp_path / "elastic", tmp_path / "alone"
    small = {"program": trainers.SMALL}
    trainers.run_all(
        "one_device", tmp_path, *flags, f"--workdir={alone}", **small
    )
    for strategy, source, num_lines in (
        ("mirrored_4", "memory", 30),
        ("mirrored_2", "disk", 60),
        ("one_device", "disk", 90),
    ):
        (running,) = trainers.start_all(
            strategy,
            tmp_path,
            *flags,
            f"--workdir={workdir}",
            f"--input={source}",
            **small,
        )
        running.wait_until(
            lambda n=num_lines: count_lines(workdir, "train") > n
        )
        running.process.kill()
        running.wait()
    trainers.run_all(
        "multi_worker_2", tmp_path, *flags, f"--workdir={workdir}", **small
    )
    segments = read_segments(workdir)
    assert [(s["num_replicas"], s["num_workers"]) for s in segments] == [
        (4, 1),
        (2, 1),
        (1, 1),
        (2, 2),
    ]
    losses = read_losses(workdir)
    assert len(losses) == NUM_STEPS
    assert losses == pytest.approx(read_losses(alone), rel=1e-5)
