"""What all tests share: real data, prepared once, and real processes."""

import os
import pathlib
import subprocess
import sys

import filelock
import pytest

import seqdigits_tfds

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = pathlib.Path(__file__).parent.parent


NO_NETWORK = {"https_proxy": "http://127.0.0.1:9"}
"""Environment in which nothing can be downloaded: nobody listens there."""


def run(*command, cwd=ROOT, check=True, **environment):
    """Runs a command; its output is in the message if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if check and done.returncode:
        raise AssertionError(
            f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}\n"
            f"{done.stderr[-3000:]}"
        )
    return done


def run_python(*arguments, **kwargs):
    """Runs this Python."""
    return run(sys.executable, *arguments, **kwargs)


def train(*flags, **kwargs):
    """Runs the trainer."""
    return run_python("-m", "trainer", *flags, **kwargs)


def build(*arguments, **kwargs):
    """Runs `tfds build`."""
    program = pathlib.Path(sys.executable).parent / "tfds"
    return run(program, "build", *arguments, **kwargs)


def pytest_addoption(parser):
    parser.addoption(
        "--whole-trainings",
        action="store_true",
        help="Run README's trainings to their end, not four steps: an hour.",
    )


@pytest.fixture(scope="session")
def share(tmp_path_factory, worker_id):
    """Makes a folder once for all of pytest's worker processes.

    A function of the folder's name and of what fills it; gives its path.
    """
    root = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        root = root.parent

    def make_once(name, fill):
        folder, ready = root / name, root / f"{name}.ready"
        with filelock.FileLock(root / f"{name}.lock"):
            if not ready.exists():
                folder.mkdir()
                fill(folder)
                ready.touch()
        return folder

    return make_once


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder with MNIST's four files."""
    folder = os.environ.get("SEQDIGITS_MNIST_DIR")
    if not folder:
        pytest.skip("SEQDIGITS_MNIST_DIR does not name MNIST's folder")
    return pathlib.Path(folder).resolve()


@pytest.fixture(scope="session")
def optdigits_data_dir(share):
    """A TFDS data directory with `seqdigits/optdigits` in it."""
    return share(
        "optdigits_data",
        lambda folder: build(
            "seqdigits_tfds", "--config=optdigits", f"--data_dir={folder}"
        ),
    )


@pytest.fixture(scope="session")
def mnist_data_dir(share, mnist_dir):
    """A TFDS data directory with `seqdigits/mnist` in it."""
    return share(
        "mnist_data",
        lambda folder: build(
            "seqdigits_tfds",
            "--config=mnist",
            f"--manual_dir={mnist_dir}",
            f"--data_dir={folder}",
        ),
    )


TINY = {"name": "tiny", "num_train": 480, "num_validation": 40, "num_test": 80}


def build_custom(folder, *, file_format="tfrecord", **settings):
    config = seqdigits_tfds.SeqDigitsConfig(source="optdigits", **settings)
    seqdigits_tfds.Builder(
        data_dir=folder, config=config, file_format=file_format
    ).download_and_prepare()


@pytest.fixture(scope="session")
def tiny_data_dir(share):
    """A TFDS data directory with the small custom config `seqdigits/tiny`."""
    return share("tiny_data", lambda folder: build_custom(folder, **TINY))


@pytest.fixture(scope="session")
def preemption_data_dir(share):
    """A TFDS data directory with `seqdigits/evaluated`: much to evaluate."""
    return share(
        "evaluated_data",
        lambda folder: build_custom(
            folder,
            name="evaluated",
            num_train=480,
            num_validation=3_000,
            num_test=3_000,
        ),
    )


@pytest.fixture(scope="session", params=["optdigits", "mnist"])
def prepared(request):
    """Each config's name and the data directory that it is prepared in."""
    return request.param, request.getfixturevalue(f"{request.param}_data_dir")


@pytest.fixture(scope="session")
def first_run(share):
    """The main job, for one epoch, where nothing was prepared before.

    The folder with its `data`, its run directory `my_run`, and what it said on
    `stdout` and `stderr`.
    """

    def fill(folder):
        done = train(
            "--strategy=mirrored",
            "--epochs=1",
            f"--data_dir={folder / 'data'}",
            f"--workdir={folder / 'my_run'}",
            **NO_NETWORK,
        )
        (folder / "stdout").write_text(done.stdout)
        (folder / "stderr").write_text(done.stderr)

    return share("first_run", fill)
