"""`tfds build`, in separate processes."""

import concurrent.futures
import hashlib
import json
import threading
import time

import pytest

from helpers import NO_NETWORK, ROOT, TINY, build, build_custom, run, run_python
from seqdigits_tfds import indexed_builder


def hash_files(data_dir):
    """Returns the SHA-256 of each file of the prepared dataset.

    Builds leave empty lock files beside it.
    """
    folder = data_dir / "seqdigits"
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.fixture(scope="session")
def wheel_environment(tmp_path_factory):
    """bin/ of a new virtual environment with the wheel and its requirements."""
    folder = tmp_path_factory.mktemp("wheel")
    run_python("-m", "build", "--wheel", "--outdir", folder, ROOT)
    run_python("-m", "venv", folder / "environment")
    programs = folder / "environment" / "bin"
    (wheel,) = folder.glob("*.whl")
    # Compiling all of TensorFlow's Python files takes longer than copying.
    run(
        programs / "pip",
        "install",
        "--quiet",
        "--no-compile",
        wheel,
        cwd=folder,
    )
    return programs


def test_two_processes_build_identical_files(optdigits_data_dir, first_run):
    """The trainer's process, and this one."""
    assert hash_files(optdigits_data_dir) == hash_files(first_run / "data")


@pytest.mark.long
def test_the_wheel_alone_builds_and_trains(
    mnist_data_dir, tiny_data_dir, mnist_dir, wheel_environment, tmp_path
):
    (tmp_path / "empty").mkdir()
    run(
        wheel_environment / "tfds",
        "build",
        "seqdigits/mnist",
        "--imports=seqdigits_tfds",
        f"--manual_dir={mnist_dir}",
        f"--data_dir={tmp_path}",
        cwd=tmp_path / "empty",
    )
    assert hash_files(tmp_path) == hash_files(mnist_data_dir)
    run(
        wheel_environment / "python",
        "-m",
        "trainer",
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        f"--workdir={tmp_path / 'run'}",
        "--max_steps=2",
        cwd=tmp_path / "empty",
    )
    assert (tmp_path / "run" / "results.json").exists()


def test_the_embedded_configs_are_built_first(tmp_path):
    done = build(
        "seqdigits_tfds",
        f"--data_dir={tmp_path}",
        "--max_examples_per_split=20",
        check=False,
        **NO_NETWORK,
    )
    assert {
        str(path.relative_to(tmp_path / "seqdigits"))
        for path in tmp_path.rglob("features.json")
    } == {
        "optdigits/2.0.0/features.json",
        "optdigits_scattered/2.0.0/features.json",
    }
    left = tmp_path.glob("seqdigits/mnist*/*")
    assert {path.name for path in left} <= {".2.0.0.lock"}
    assert done.returncode == 1
    last_line = done.stderr.splitlines()[-1]
    for part in ("error: MNIST", "--manual_dir", "internet", "optdigits"):
        assert part in last_line


def test_bad_input_is_reported_in_one_line(tmp_path):
    done = build(
        "seqdigits_tfds",
        f"--data_dir={tmp_path}",
        '--config={"name": "a", "digits": 3}',
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last_line = done.stderr.splitlines()[-1]
    assert last_line.startswith("error: ")
    assert "unknown key 'digits'" in last_line
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_prepared_dataset_is_found_by_name(tiny_data_dir, tmp_path):
    """Other projects need not import the package."""
    program = """
import sys, tensorflow_datasets as tfds
dataset, info = tfds.load(
    "seqdigits/tiny", split="test", as_supervised=True, with_info=True
)
assert info.full_name == "seqdigits/tiny/2.0.0"
image, label = next(iter(dataset))
assert image.shape == (64, 64, 1) and label.shape == (5,)
frame = tfds.as_dataframe(dataset.take(4), info)
assert len(frame) == 4 and "image" in frame.columns, frame
assert "<img" in frame._repr_html_()
assert "seqdigits_tfds" not in sys.modules
"""
    run_python(
        "-c",
        program,
        cwd=tmp_path,
        PYTHONPATH="",
        TFDS_DATA_DIR=str(tiny_data_dir),
    )


def test_a_second_build_waits_and_uses_the_files_of_the_first(
    tiny_data_dir, tmp_path, monkeypatch, capfd
):
    """It starts when the first one is about to write its files."""
    write_shard, written, second = indexed_builder.write_shard, [], []
    starting = threading.Lock()

    def start_second_and_write(shard, **kwargs):
        with starting:
            is_first = not second
            if is_first:
                second.append(pool.submit(build_custom, tmp_path, **TINY))
        printed, deadline = "", time.monotonic() + 60
        while is_first and "Waiting for another process that" not in printed:
            assert not second[0].done()
            assert time.monotonic() < deadline
            time.sleep(0.01)
            printed += capfd.readouterr().err
        written.append(shard.path)
        return write_shard(shard, **kwargs)

    monkeypatch.setattr(indexed_builder, "write_shard", start_second_and_write)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = build_custom(tmp_path, **TINY)
    for builder in (first, second[0].result()):
        assert builder.info.splits["train"].num_examples == 480
        assert len(builder.info.metadata["digest"]) == 64
    assert len(written) == len(set(written)) == 24
    assert hash_files(tmp_path) == hash_files(tiny_data_dir)


@pytest.mark.long
def test_two_concurrent_builds_both_succeed(tmp_path):
    config = {
        "name": "small",
        "source": "optdigits",
        "num_train": 2_000,
        "num_validation": 20,
        "num_test": 20,
    }
    arguments = (
        "seqdigits_tfds",
        f"--config={json.dumps(config)}",
        f"--data_dir={tmp_path}",
    )
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for started in [pool.submit(build, *arguments) for _ in range(2)]:
            assert started.result().returncode == 0
    (prepared,) = tmp_path.glob("seqdigits/small/[!.]*")
    assert prepared.name == "2.0.0"
