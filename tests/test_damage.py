"""Full disks, damaged files, a directory in use: one line, and nothing lost."""

import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, train
from kill_and_resume import assert_equal
from trainers import start


@pytest.fixture(scope="module")
def flags(tiny_data_dir):
    return (
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        "--strategy=one_device",
        "--epochs=2",
        "--global_batch_size=96",
        "--log_every_steps=2",
        "--checkpoint_every_steps=3",
    )


@pytest.fixture(scope="module")
def undisturbed(flags, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("undisturbed") / "run"
    train(*flags, f"--workdir={workdir}")
    return workdir


@pytest.fixture
def unfinished(undisturbed, tmp_path):
    """The run as it is before its last evaluation."""
    workdir = tmp_path / "run"
    shutil.copytree(undisturbed, workdir)
    for name in ("results.json", "model.keras"):
        (workdir / name).unlink()
    shutil.rmtree(workdir / "export")
    return workdir


def get_error(done):
    """The one line that a refused trainer says at last."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    return line


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def list_checkpoints(workdir, pattern):
    return sorted((workdir / "checkpoints").glob(pattern))


def test_a_damaged_checkpoint_is_passed_over(flags, unfinished, undisturbed):
    flip_byte(list_checkpoints(unfinished, "step-*")[-1])
    done = train(*flags, f"--workdir={unfinished}")
    assert "going on after 9" in done.stdout
    (warning,) = [x for x in done.stderr.splitlines() if "warning:" in x]
    assert "checkpoint of step 10" in warning
    assert "damaged" in warning
    assert_equal(unfinished, undisturbed)


def test_nothing_but_damaged_checkpoints_are_refused(flags, unfinished):
    for path in list_checkpoints(unfinished, "step-*"):
        flip_byte(path)
    before = {p: p.read_bytes() for p in list_checkpoints(unfinished, "*")}
    done = train(*flags, f"--workdir={unfinished}", check=False)
    error = get_error(done)
    assert "all 3 checkpoints" in error
    assert "delete that directory" in error
    assert {
        p: p.read_bytes() for p in list_checkpoints(unfinished, "*")
    } == before


@pytest.mark.parametrize("size", ["half", "mid-line", "missing"])
def test_truncated_metrics_are_restored(flags, unfinished, undisturbed, size):
    metrics = unfinished / "metrics.jsonl"
    text = metrics.read_text()
    if size == "missing":
        metrics.unlink()
    else:
        lines = text.splitlines(keepends=True)
        metrics.write_text("".join(lines[:2]) if size == "half" else text[:-20])
    done = train(*flags, f"--workdir={unfinished}")
    (warning,) = [x for x in done.stderr.splitlines() if "warning:" in x]
    assert "metrics.jsonl is truncated or changed, and restored" in warning
    assert metrics.read_text() == text
    assert_equal(unfinished, undisturbed)


def test_a_run_directory_has_one_trainer(flags, undisturbed, tmp_path):
    flags = (*flags, f"--workdir={tmp_path / 'run'}")
    first = start(tmp_path / "log", *flags)
    while not (tmp_path / "run" / "metrics.jsonl").exists():
        assert first.process.poll() is None, first.output
    error = get_error(train(*flags, check=False))
    assert "is in use by another trainer" in error
    assert first.wait() == 0, first.output
    assert_equal(tmp_path / "run", undisturbed)


def run_on_disk(tmp_path, flags, size, before="", then=""):
    """Trains on a file system of `size`, after `before` and followed by `then`.

    `$run` is the run directory there; `train` trains again. Returns how each
    training ended; `copy` is what became of the run directory.
    """
    script = f"""
        train() {{ {sys.executable} -m trainer {" ".join(flags)} \\
            --workdir="$run" >"$1.out" 2>"$1.err"; echo $? >"$1.code"; }}
        run={tmp_path}/disk/run
        mount -t tmpfs -o size={size} tmpfs {tmp_path}/disk || exit 77
        {before}
        train {tmp_path}/first
        {then}
        cp -r "$run" {tmp_path}/copy
    """
    (tmp_path / "disk").mkdir()
    code = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=ROOT,
    ).returncode
    if code == 77:
        pytest.skip("this machine does not allow to mount a file system")
    assert code == 0
    return [
        subprocess.CompletedProcess(
            [],
            int((tmp_path / f"{name}.code").read_text()),
            (tmp_path / f"{name}.out").read_text(),
            (tmp_path / f"{name}.err").read_text(),
        )
        for name in ("first", "second")
        if (tmp_path / f"{name}.code").exists()
    ]


def count_bytes(path):
    return sum(
        file.stat().st_size for file in path.rglob("*") if file.is_file()
    )


@pytest.mark.parametrize("where", ["checkpoints", "model.keras", "export"])
def test_a_full_disk_loses_nothing(
    flags, unfinished, undisturbed, tmp_path, where
):
    written = ["checkpoints", "model.keras", "export"]
    sizes = {name: count_bytes(undisturbed / name) for name in written[::2]}
    sizes["model.keras"] = (undisturbed / "model.keras").stat().st_size
    rest = count_bytes(undisturbed) - sum(sizes.values())
    before = sum(sizes[name] for name in written[: written.index(where)])
    first, second = run_on_disk(
        tmp_path,
        flags,
        rest + before + sizes[where] // 2,
        before="" if where == "checkpoints" else f'cp -r {unfinished} "$run"',
        then=f"""
        ls -R "$run" >{tmp_path}/found
        mount -o remount,size=64m {tmp_path}/disk
        train {tmp_path}/second
        """,
    )
    error = get_error(first)
    assert f"{where} can't be written (" in error
    assert "No space left on device" in error
    assert "partial" not in (tmp_path / "found").read_text()
    assert second.returncode == 0, second.stderr
    assert "going on after" in second.stdout
    assert_equal(tmp_path / "copy", undisturbed)


def test_a_read_only_run_directory(flags, unfinished, tmp_path):
    script = f'cp -r {unfinished} "$run"; mount -o remount,ro {tmp_path}/disk'
    (done,) = run_on_disk(tmp_path, flags, "64m", script)
    error = get_error(done)
    assert "workdir must be a directory that can be written to" in error
    assert "Read-only file system" in error


def test_a_finished_run_is_told_where_nothing_can_be_written(
    flags, undisturbed, tmp_path
):
    script = f'cp -r {undisturbed} "$run"; mount -o remount,ro {tmp_path}/disk'
    (done,) = run_on_disk(tmp_path, flags, "64m", script)
    assert done.returncode == 0, done.stderr
    assert "has ended before" in done.stdout
