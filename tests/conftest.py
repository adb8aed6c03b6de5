"""What all tests share: real data, prepared once, and real processes."""

import os
import pathlib
import subprocess
import sys

import pytest

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


def build(*arguments, **kwargs):
    """Runs `tfds build`."""
    program = pathlib.Path(sys.executable).parent / "tfds"
    return run(program, "build", *arguments, **kwargs)


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder with MNIST's four files."""
    folder = os.environ.get("SEQDIGITS_MNIST_DIR")
    if not folder:
        pytest.skip("SEQDIGITS_MNIST_DIR does not name MNIST's folder")
    return pathlib.Path(folder).resolve()


@pytest.fixture(scope="session")
def optdigits_data_dir(tmp_path_factory):
    """A TFDS data directory with `seqdigits/optdigits` in it."""
    data_dir = tmp_path_factory.mktemp("data")
    build("seqdigits_tfds", "--config=optdigits", f"--data_dir={data_dir}")
    return data_dir


@pytest.fixture(scope="session")
def mnist_data_dir(optdigits_data_dir, mnist_dir):
    """The same one, with `seqdigits/mnist` in it as well."""
    build(
        "seqdigits_tfds",
        "--config=mnist",
        f"--manual_dir={mnist_dir}",
        f"--data_dir={optdigits_data_dir}",
    )
    return optdigits_data_dir


@pytest.fixture(scope="session", params=["optdigits", "mnist"])
def prepared(request):
    """Each config's name and the data directory that it is prepared in."""
    return request.param, request.getfixturevalue(f"{request.param}_data_dir")


@pytest.fixture(scope="session")
def first_run(tmp_path_factory):
    """The README's first command where nothing was prepared before.

    Its output, and the folder with its `data` and its run directory `my_run`.
    """
    folder = tmp_path_factory.mktemp("first")
    done = run_python(
        "-m",
        "trainer",
        "--strategy=mirrored",
        f"--data_dir={folder / 'data'}",
        f"--workdir={folder / 'my_run'}",
        **NO_NETWORK,
    )
    return done, folder
