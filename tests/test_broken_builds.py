"""Builds that were killed, or had no space, do no harm to the next one."""

import json
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from test_tfds_build import hash_files

import seqdigits_tfds
from helpers import ROOT, TINY, build_custom
from seqdigits_tfds import InputError

BUILD = """
import json, sys, seqdigits_tfds
folder, settings = sys.argv[1], json.loads(sys.argv[2])
config = seqdigits_tfds.SeqDigitsConfig(source="optdigits", **settings)
seqdigits_tfds.Builder(data_dir=folder, config=config).download_and_prepare()
"""
LARGE = {**TINY, "num_train": 20_000}


def start_build(folder, settings):
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, folder, json.dumps(settings)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def find_partial(folder):
    return list(folder.glob("seqdigits/tiny/incomplete.*"))


def wait_until_writing(process, folder):
    while not list(folder.glob("seqdigits/tiny/incomplete.*/*tfrecord*")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def test_a_killed_build_leaves_nothing_behind(tiny_data_dir, tmp_path):
    process = start_build(tmp_path, LARGE)
    wait_until_writing(process, tmp_path)
    process.kill()
    process.communicate()
    assert find_partial(tmp_path)
    # What a kill at another moment leaves.
    other = tmp_path / "seqdigits" / "tiny" / "incomplete.ABCDEF_2.0.0"
    other.mkdir()
    (other / "dataset_info.json").write_text("{}")
    build_custom(tmp_path, **TINY)
    assert not find_partial(tmp_path)
    assert hash_files(tmp_path) == hash_files(tiny_data_dir)


@pytest.mark.long
def test_builds_killed_at_any_moment_do_no_harm(tiny_data_dir, tmp_path):
    num_kills = 0
    for moment in range(12):
        process = start_build(tmp_path, TINY)
        try:
            process.wait(timeout=1.5 + 0.4 * moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            num_kills += 1
        process.communicate()
        prepared = tmp_path / "seqdigits" / "tiny" / "2.0.0"
        if prepared.exists():
            break
    assert num_kills > 1
    build_custom(tmp_path, **TINY)
    assert not find_partial(tmp_path)
    assert hash_files(tmp_path) == hash_files(tiny_data_dir)


def test_a_second_build_waits_for_the_first(tmp_path, capsys):
    first = start_build(tmp_path, LARGE)
    wait_until_writing(first, tmp_path)
    build_custom(tmp_path, **LARGE)
    assert "Waiting for another process that builds seqdigits/tiny/2.0.0" in (
        capsys.readouterr().err
    )
    first.communicate()
    assert first.returncode == 0
    assert not find_partial(tmp_path)


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path):
    """A limit of the size of files has the effect of a full disk."""
    # Without this, the process would end.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(
            InputError, match=r"can't be written to .*; free disk"
        ):
            build_custom(tmp_path, **LARGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.rglob("*tfrecord*"))
    assert not find_partial(tmp_path)
    build_custom(tmp_path, **TINY)


def test_a_failing_example_stops_the_build(tmp_path, monkeypatch):
    def fail(self, indices):
        raise ArithmeticError("no example")

    monkeypatch.setattr(seqdigits_tfds.Sequences, "make_examples", fail)
    with pytest.raises(ArithmeticError):
        build_custom(tmp_path, **TINY)
    assert not find_partial(tmp_path)


def test_a_prepared_dataset_needs_no_lock(tiny_data_dir, tmp_path):
    """Its folder may be read-only."""
    folder = tmp_path / "seqdigits" / "tiny"
    shutil.copytree(tiny_data_dir / "seqdigits" / "tiny", folder)
    lock = folder / ".2.0.0.lock"
    lock.unlink()
    lock.mkdir()  # Can't be opened.
    builder = build_custom(tmp_path, **TINY)
    assert builder.info.splits["train"].num_examples == 480
