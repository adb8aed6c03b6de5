"""Starts programs, and builds small datasets."""

import json
import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent.parent
PROGRAMS = pathlib.Path(__file__).parent

NO_NETWORK = {"https_proxy": "http://127.0.0.1:9"}
"""An environment that blocks downloads: nothing listens on this port."""

TINY = {"name": "tiny", "num_train": 480, "num_validation": 40, "num_test": 80}
"""The settings of the config `seqdigits/tiny`."""

SHORT = {
    "epochs": 2,
    "global_batch_size": 96,
    "log_every_steps": 2,
    "checkpoint_every_steps": 3,
}
"""Settings of a run on `seqdigits/tiny`: 10 steps, validated after 5 and 10."""


def run(*command, cwd=ROOT, check=True, **environment):
    """Runs a command; raises an AssertionError with its output if it fails."""
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
    """Runs the Python interpreter of this process."""
    return run(sys.executable, *arguments, **kwargs)


def train(*flags, **kwargs):
    """Runs the trainer."""
    return run_python("-m", "trainer", *flags, **kwargs)


def build(*arguments, **kwargs):
    """Runs `tfds build`."""
    program = pathlib.Path(sys.executable).parent / "tfds"
    return run(program, "build", *arguments, **kwargs)


def build_custom(
    folder, *, file_format="tfrecord", num_shards=None, **settings
):
    """Builds a custom config of optdigits here, and returns its builder."""
    # Not needed by the programs that only start others.
    import tensorflow_datasets as tfds

    import seqdigits_tfds

    config = seqdigits_tfds.SeqDigitsConfig(source="optdigits", **settings)
    builder = seqdigits_tfds.Builder(
        data_dir=folder, config=config, file_format=file_format
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(num_shards=num_shards)
    )
    return builder


def send_signal_at(monkeypatch, owner, name, call, signum=signal.SIGTERM):
    """Sends this process a signal at one call of a function."""
    function, calls = getattr(owner, name), []

    def wrapper(*args, **kwargs):
        calls.append(None)
        if len(calls) == call:
            signal.raise_signal(signum)
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, wrapper)


def list_requests(browser):
    """Returns the addresses that a page has asked for since the last call."""
    messages = [
        json.loads(entry["message"])["message"]
        for entry in browser.get_log("performance")
    ]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
