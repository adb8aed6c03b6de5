"""Runs are stopped or damaged, then resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys

import filelock
import numpy as np
import pytest

import trainers
from helpers import ROOT, SHORT
from kill_and_resume import run_with_kills
from run_directories import assert_equal, count_lines, read_metrics
from seqdigits_tfds import InputError
from trainer.run import files, loop
from trainer.run.checkpoints import Checkpoints
from trainer.run.history import History

FLAGS = [f"--{name}={value}" for name, value in SHORT.items()]


@pytest.fixture
def unfinished(short_run, tmp_path):
    """A copy of `short_run`, as it was before the final test."""
    workdir = tmp_path / "run"
    shutil.copytree(short_run, workdir)
    for name in ("results.json", "model.keras"):
        (workdir / name).unlink()
    shutil.rmtree(workdir / "export")
    return workdir


@pytest.fixture
def flags(tiny_data_dir, tmp_path):
    """The flags of the same run, for a separate process."""
    return [
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        f"--workdir={tmp_path / 'run'}",
        "--strategy=one_device",
        *FLAGS,
    ]


def send_signal_at(monkeypatch, owner, name, call, signum=signal.SIGTERM):
    """Sends this process a signal at one call of a function."""
    function, calls = getattr(owner, name), []

    def wrapper(*args, **kwargs):
        calls.append(None)
        if len(calls) == call:
            signal.raise_signal(signum)
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, wrapper)


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
    from seqdigits_tfds import records

    send_signal_at(monkeypatch, records, "_serialize", 3)
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
    "epochs": 20,
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
        "one_device", 1, 1, tmp_path, long_flags, long_run, trainers.SMALL
    )
    assert summary["steps"] == 200
    assert 0 < summary["steps_when_killed"][0] < 200


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def list_checkpoints(workdir, pattern):
    return sorted((workdir / "checkpoints").glob(pattern))


def test_a_damaged_checkpoint_is_ignored(
    train_here, unfinished, short_run, capsys
):
    flip_byte(list_checkpoints(unfinished, "step-*")[-1])
    train_here(unfinished, **SHORT)
    out, err = capsys.readouterr()
    assert "resuming after step 9" in out
    (warning,) = [x for x in err.splitlines() if "warning:" in x]
    assert "checkpoint of step 10" in warning
    assert "damaged" in warning
    assert_equal(unfinished, short_run)


def test_only_damaged_checkpoints_are_rejected(train_here, unfinished):
    for path in list_checkpoints(unfinished, "step-*"):
        flip_byte(path)
    before = {p: p.read_bytes() for p in list_checkpoints(unfinished, "*")}
    with pytest.raises(InputError, match=r"all 3 checkpoints .*delete that"):
        train_here(unfinished, **SHORT)
    assert {
        p: p.read_bytes() for p in list_checkpoints(unfinished, "*")
    } == before


@pytest.mark.parametrize("size", ["mid-line", "missing"])
def test_truncated_metrics_are_restored(
    train_here, unfinished, short_run, capsys, size
):
    metrics = unfinished / "metrics.jsonl"
    text = metrics.read_text()
    if size == "missing":
        metrics.unlink()
    else:
        metrics.write_text(text[:-20])
    train_here(unfinished, **SHORT)
    (warning,) = [
        x for x in capsys.readouterr().err.splitlines() if "warning:" in x
    ]
    assert "metrics.jsonl is truncated or changed; it was restored" in warning
    assert metrics.read_text() == text
    assert_equal(unfinished, short_run)


def test_a_run_directory_has_at_most_one_trainer(train_here, unfinished):
    with (
        filelock.FileLock(unfinished / ".lock"),
        pytest.raises(InputError, match="is in use by another trainer"),
    ):
        train_here(unfinished, **SHORT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 7}, "seed is 0 there and 7 here; choose another --workdir"),
        ({"epochs": 3}, "epochs is 2 there and 3 here"),
        (
            {"strategy": "mirrored", "virtual_devices": 2},
            "strategy is 'one_device' there",
        ),
    ],
)
def test_another_configuration_is_rejected(
    train_here, short_run, change, message
):
    results = (short_run / "results.json").read_text()
    with pytest.raises(InputError, match=message):
        train_here(short_run, **{**SHORT, **change})
    assert (short_run / "results.json").read_text() == results


@pytest.mark.parametrize(
    ("section", "name", "message"),
    [
        ("dataset", "sha256", "sha256 is 'other' there"),
        ("devices", "num_replicas", "num_replicas is 'other' there"),
        ("config", "input", "input is 'other' there"),
    ],
)
def test_other_data_and_replicas_are_rejected(
    train_here, unfinished, section, name, message
):
    path = unfinished / "config.json"
    config = json.loads(path.read_text())
    config[section][name] = "other"
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match=message):
        train_here(unfinished, **SHORT)


def test_a_config_of_another_version_is_rejected(train_here, unfinished):
    path = unfinished / "config.json"
    config = json.loads(path.read_text())
    del config["config"]["train_sequences"]
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match="of a run of this version"):
        train_here(unfinished, **SHORT)


@pytest.mark.parametrize(
    "name",
    [
        "checkpoints",
        "metrics.jsonl",
        "tensorboard",
        "model.keras",
        "export",
        "predictions.npz",
        "report",
        "results.json",
    ],
)
def test_each_write_error_is_explained_and_loses_nothing(
    train_here, unfinished, short_run, monkeypatch, name
):
    """Every path is written within `explain_write_errors`."""
    # So that a step, a validation and the test are left.
    for path in list_checkpoints(unfinished, "*-00000010.*"):
        path.unlink()

    class Full:
        def __init__(self, path):
            self._path = path

        def __enter__(self):
            self._inner = explain(self._path)
            self._inner.__enter__()
            if name in self._path.parts:
                error = OSError(28, "No space left on device")
                if not self._inner.__exit__(OSError, error, None):
                    raise error

        def __exit__(self, *error):
            return self._inner.__exit__(*error)

    explain = files.explain_write_errors
    with monkeypatch.context() as patch:
        for module in ("files", "history", "directory", "tensorboard"):
            patch.setattr(f"trainer.run.{module}.explain_write_errors", Full)
        patch.setattr("trainer.report.page.explain_write_errors", Full)
        with pytest.raises(InputError) as caught:
            train_here(unfinished, **SHORT)
    assert f"{name}" in str(caught.value)
    assert "can't be written (No space left on device); free" in str(
        caught.value
    )
    assert not list(unfinished.rglob("partial*"))
    assert not (unfinished / "results.json").exists()
    if name in ("checkpoints", "results.json"):  # The first and the last one.
        train_here(unfinished, **SHORT)
        assert_equal(unfinished, short_run)


def run_on_disk(tmp_path, size, script, *flags):
    """Runs a script and the trainer on a new file system of the given size.

    In the script, `$run` is the run directory. It is copied to `copy` at the
    end.
    """
    command = " ".join(map(str, (sys.executable, *trainers.SMALL, *flags)))
    (tmp_path / "disk").mkdir()
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
            f"""
            run={tmp_path}/disk/run
            mount -t tmpfs -o size={size} tmpfs {tmp_path}/disk || exit 77
            {script}
            {command} --workdir="$run"
            code=$?
            cp -r "$run" {tmp_path}/copy
            exit $code
            """,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip("this machine does not allow mounting a file system")
    return done


def test_a_full_disk_loses_nothing(train_here, short_run, flags, tmp_path):
    """On a real file system, in a separate process."""
    size = sum(
        -(-path.stat().st_size // 4096) * 4096
        for path in short_run.rglob("*")
        if path.is_file()
    )
    done = run_on_disk(
        tmp_path, size * 6 // 10, "", *(f for f in flags if "workdir" not in f)
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert "can't be written (" in line
    assert "No space left on device" in line
    assert not list((tmp_path / "copy").rglob("partial*"))
    train_here(tmp_path / "copy", **SHORT)
    assert_equal(tmp_path / "copy", short_run)


def test_directories_that_cannot_be_written_are_rejected(train_here, tmp_path):
    for path in ("/proc/nowhere", "/dev/null/run"):
        with pytest.raises(InputError, match="must be a writable directory"):
            train_here(path, **SHORT)
    with pytest.raises(InputError, match="can't be written to /proc/nowhere"):
        train_here(
            tmp_path / "run",
            dataset="seqdigits/optdigits",
            data_dir="/proc/nowhere",
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.long
@pytest.mark.parametrize("finished", [False, True])
def test_a_read_only_run_directory_must_be_finished(
    unfinished, short_run, flags, tmp_path, finished
):
    source = short_run if finished else unfinished
    script = f'cp -r {source} "$run"; mount -o remount,ro {tmp_path}/disk'
    done = run_on_disk(
        tmp_path, "64m", script, *(f for f in flags if "workdir" not in f)
    )
    if finished:
        assert done.returncode == 0, done.stderr
        assert "is already finished" in done.stdout
    else:
        assert done.returncode == 1, done.stderr
        line = done.stderr.splitlines()[-1]
        assert "workdir must be a writable directory" in line
        assert "Read-only file system" in line


def test_checkpoints_contain_no_input_state(short_run):
    with np.load(list_checkpoints(short_run, "step-*")[-1]) as arrays:
        names = [n for n in arrays.files if n != "text"]
    assert all(":" in name for name in names)
    assert len(names) < 40
