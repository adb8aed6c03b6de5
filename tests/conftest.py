"""Fixtures of several test files: real data, prepared once, and real runs."""

import os
import pathlib
import shutil

import filelock
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import trainer  # noqa: F401, I001 (sets an option that TensorFlow reads)
import keras
import tensorflow as tf

import seqdigits_tfds
from helpers import NO_NETWORK, SHORT, TINY, build, build_custom, train
from trainer.config import TrainConfig
from trainer.train import train_and_evaluate

# Two replicas in one process. The CPU can only be split once.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


CHROMIUM = [
    path
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
    if (path := shutil.which(name))
]
DRIVER = shutil.which("chromedriver")


def pytest_addoption(parser):
    parser.addoption(
        "--whole-trainings",
        action="store_true",
        help="Run README's training commands, and digest the largest config, in"
        " full, which takes an hour.",
    )


@pytest.fixture(scope="session")
def share(tmp_path_factory, worker_id):
    """Makes a folder once for all of pytest's worker processes.

    The fixture is a function. It takes the folder's name and a function that
    fills the folder, and returns the folder.
    """
    root = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        root = root.parent

    def make_once(name, fill):
        folder, ready = root / name, root / f"{name}.ready"
        with filelock.FileLock(root / f"{name}.lock"):
            if not ready.exists():
                shutil.rmtree(folder, ignore_errors=True)  # Of a failed fill.
                folder.mkdir()
                fill(folder)
                ready.touch()
        return folder

    return make_once


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory):
    """An empty cache folder, also for the processes that tests start."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder / "seqdigits"


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder with MNIST's four files."""
    folder = os.environ.get("SEQDIGITS_MNIST_DIR")
    if not folder:
        pytest.skip("SEQDIGITS_MNIST_DIR does not name MNIST's folder")
    return pathlib.Path(folder).resolve()


@pytest.fixture(scope="session")
def mnist_data_dir(share, mnist_dir):
    """A TFDS data directory with `seqdigits/mnist`, built on the command line.

    Inside the package's folder, `tfds build` needs no dataset name.
    """
    return share(
        "mnist_data",
        lambda folder: build(
            "--config=mnist",
            f"--manual_dir={mnist_dir}",
            f"--data_dir={folder}",
            cwd=pathlib.Path(__file__).parent.parent / "seqdigits_tfds",
        ),
    )


@pytest.fixture(scope="session")
def first_run(share):
    """A folder in which the trainer has run for one epoch.

    No dataset was prepared before, and there was no network. The folder
    contains the data directory `data`, the run directory `my_run`, and the
    output in `stdout` and `stderr`.
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


@pytest.fixture(scope="session")
def optdigits_data_dir(share):
    """A TFDS data directory with `seqdigits/optdigits`, built in this process.

    `first_run` has the same dataset, built by the trainer.
    """

    def fill(folder):
        seqdigits_tfds.Builder(
            data_dir=folder, config="optdigits"
        ).download_and_prepare()

    return share("optdigits_data", fill)


@pytest.fixture(scope="session")
def tiny_data_dir(share):
    """A TFDS data directory with the small custom config `seqdigits/tiny`."""
    return share("tiny_data", lambda folder: build_custom(folder, **TINY))


@pytest.fixture(scope="session", params=["optdigits", "mnist"])
def prepared(request):
    """The name of each config, and a data directory with it."""
    return request.param, request.getfixturevalue(f"{request.param}_data_dir")


@pytest.fixture
def train_here(tiny_data_dir):
    """Trains on `seqdigits/tiny` in this process.

    The fixture is a function. It takes the run directory and settings, and
    returns the results.
    """

    def run(workdir, **settings):
        return train_and_evaluate(
            TrainConfig(
                **{
                    "dataset": "seqdigits/tiny",
                    "data_dir": str(tiny_data_dir),
                    "workdir": str(workdir) if workdir else None,
                    "model": "small_network:small",
                    "strategy": "one_device",
                    **settings,
                }
            )
        )

    yield run
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def short_run(share, train_here):
    """The run directory of a finished run with the settings `SHORT`."""
    return share("short_run", lambda folder: train_here(folder, **SHORT))


@pytest.fixture
def unfinished(short_run, tmp_path):
    """A copy of `short_run`, as it was before the final test."""
    workdir = tmp_path / "run"
    shutil.copytree(short_run, workdir)
    for name in ("results.json", "model.keras"):
        (workdir / name).unlink()
    shutil.rmtree(workdir / "export")
    return workdir


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, driven by Selenium."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("neither Chromium and ChromeDriver nor Chrome is installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM[0]
    for argument in (
        *("--headless", "--no-sandbox", "--disable-gpu"),
        *("--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync"),
    ):
        options.add_argument(argument)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
