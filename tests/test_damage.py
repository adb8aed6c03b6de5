"""Damaged runs, directories that can't be used, and write errors."""

import json
import os
import shutil
import subprocess
import sys

import filelock
import numpy as np
import pytest

import trainers
from helpers import ROOT, SHORT
from run_directories import assert_equal
from seqdigits_tfds import InputError
from trainer.run import files


@pytest.fixture
def flags(tiny_data_dir, tmp_path):
    """The flags of the same run, for a separate process."""
    return [
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        f"--workdir={tmp_path / 'run'}",
        "--strategy=one_device",
        *(f"--{name}={value}" for name, value in SHORT.items()),
    ]


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
        ("dataset", "digest", "digest is 'other' there"),
        ("dataset", "sha256", "sha256 is 'other' there"),
        ("config", "distortion", "distortion is 'other' there"),
    ],
)
def test_other_data_and_settings_are_rejected(
    train_here, unfinished, section, name, message
):
    path = unfinished / "config.json"
    config = json.loads(path.read_text())
    config[section][name] = "other"
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match=message):
        train_here(unfinished, **SHORT)


@pytest.mark.parametrize("missing", ["setting", "segments"])
def test_a_config_of_another_version_is_rejected(
    train_here, unfinished, missing
):
    path = unfinished / "config.json"
    config = json.loads(path.read_text())
    if missing == "setting":
        del config["config"]["train_sequences"]
    else:
        del config["segments"]
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
        "README.md",
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
        for module in ("files", "history", "tensorboard"):
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
        env={**os.environ, "PYTHONPATH": trainers.PYTHONPATH},
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


def test_files_of_others_are_not_replaced(train_here, short_run, tmp_path):
    written = {path.name for path in short_run.iterdir()}
    written -= {"config.json", ".lock"}
    for name in written:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(__file__, folder / "notes.txt")
        shutil.copy(__file__, folder / name)
        with pytest.raises(
            InputError, match=f"must be new or .*, which has {name} but no"
        ):
            train_here(folder, **SHORT)
        assert sorted(p.name for p in folder.iterdir()) == sorted(
            ["notes.txt", name]
        )


@pytest.mark.parametrize("content", ["", '{"cut": '])
def test_damaged_results_are_named(train_here, short_run, tmp_path, content):
    run = shutil.copytree(short_run, tmp_path / "run")
    (run / "results.json").write_text(content)
    with pytest.raises(InputError, match=r"results.json is damaged .*; delete"):
        train_here(run, **SHORT)
    (run / "results.json").unlink()
    train_here(run, **SHORT)
    assert_equal(run, short_run)


def test_a_changed_recipe_is_rejected(train_here, unfinished):
    path = unfinished / "config.json"
    config = json.loads(path.read_text())
    config["recipe"]["label_smoothing"] = 0.5
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"smoothing is 0\.5 there and 0"):
        train_here(unfinished, **SHORT)


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
