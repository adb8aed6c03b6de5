"""`tfds build`, as its users start it."""

import concurrent.futures
import hashlib
import json
import os
import shutil

import pytest

from conftest import NO_NETWORK, ROOT, build, run, run_python


def hash_files(data_dir):
    """SHA-256 of each file of the prepared dataset."""
    folder = data_dir / "seqdigits"
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def wheel_environment(tmp_path_factory):
    """bin/ of a new virtual environment with the wheel and what it needs."""
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


def test_from_inside_the_package(mnist_data_dir, mnist_dir, tmp_path):
    build(
        "--config=mnist",
        f"--manual_dir={mnist_dir}",
        f"--data_dir={tmp_path}",
        cwd=ROOT / "seqdigits_tfds",
    )
    assert hash_files(tmp_path) == hash_files(mnist_data_dir)


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


def test_all_configs_start_with_the_embedded_one(tmp_path):
    done = build(
        "seqdigits_tfds",
        f"--data_dir={tmp_path}",
        "--max_examples_per_split=20",
        check=False,
        **NO_NETWORK,
    )
    assert (tmp_path / "seqdigits/optdigits/1.0.0/features.json").exists()
    assert not list(tmp_path.glob("seqdigits/mnist/*"))
    assert done.returncode == 1
    last_line = done.stderr.splitlines()[-1]
    for part in ("error: MNIST", "--manual_dir", "internet", "optdigits"):
        assert part in last_line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ['--config={"name": "a", "source": "optdigits", "max_digits": 0}'],
            "max_digits must be an integer of at least 1, got 0",
        ),
        (
            ['--config={"name": "a", "image_height": -64}'],
            "image_height must be an integer of at least 1, got -64",
        ),
        (['--config={"name": "a", "digits": 3}'], "unknown key 'digits'"),
        (["--config=svhn"], "one of optdigits, mnist, got 'svhn'"),
        (
            ["--config=optdigits", "--data_dir=/proc/nowhere"],
            "can't be written to /proc/nowhere",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    done = build(
        "seqdigits_tfds", f"--data_dir={tmp_path}", *arguments, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last_line = done.stderr.splitlines()[-1]
    assert last_line.startswith("error: ")
    assert message in last_line
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_truncated_files_leave_nothing(mnist_dir, tmp_path):
    manual_dir, data_dir = tmp_path / "manual", tmp_path / "data"
    manual_dir.mkdir()
    for path in mnist_dir.glob("*.gz"):
        shutil.copyfile(path, manual_dir / path.name)
    os.truncate(manual_dir / "train-images-idx3-ubyte.gz", 1_000_000)
    done = build(
        "seqdigits_tfds",
        "--config=mnist",
        f"--manual_dir={manual_dir}",
        f"--data_dir={data_dir}",
        check=False,
    )
    assert done.returncode == 1
    assert "truncated or damaged" in done.stderr.splitlines()[-1]
    assert not list(data_dir.rglob("*.tfrecord*"))


def test_loading_from_another_project(mnist_data_dir, tmp_path):
    """Registered by the import, and found without it once it is built."""
    program = """
import sys, tensorflow_datasets as tfds
name = "seqdigits/mnist"
if sys.argv[1] == "import":
    import seqdigits_tfds
    name = "seqdigits"
dataset, info = tfds.load(
    name, split="test", as_supervised=True, with_info=True
)
assert info.full_name == "seqdigits/mnist/1.0.0"
image, label = next(iter(dataset))
assert image.shape == (64, 64, 1) and label.shape == (5,)
frame = tfds.as_dataframe(dataset.take(4), info)
assert len(frame) == 4 and "image" in frame.columns, frame
assert "<img" in frame._repr_html_()
assert ("seqdigits_tfds" in sys.modules) == (sys.argv[1] == "import")
"""
    for argument in ("import", ""):
        run_python(
            "-c",
            program,
            argument,
            cwd=tmp_path,
            PYTHONPATH=str(ROOT) if argument else "",
            TFDS_DATA_DIR=str(mnist_data_dir),
        )


def test_two_builds_at_once_both_end_well(tmp_path):
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
    (prepared,) = tmp_path.glob("seqdigits/small/*")
    assert prepared.name == "1.0.0"
