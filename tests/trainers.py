"""Starts the trainer's processes: one, or the workers of `multi_worker`."""

import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parent.parent

STRATEGIES = {
    "one_device": ["--strategy=one_device"],
    "mirrored_2": ["--strategy=mirrored", "--virtual_devices=2"],
    "mirrored_3": ["--strategy=mirrored", "--virtual_devices=3"],
    "mirrored_4": ["--strategy=mirrored", "--virtual_devices=4"],
    "multi_worker_2": ["--strategy=multi_worker"],
    "multi_worker_3": ["--strategy=multi_worker"],
}
"""The flags of each way to distribute a run."""


@dataclasses.dataclass
class Trainer:
    """A running process, and the file that has its output."""

    process: subprocess.Popen
    log: pathlib.Path

    def wait(self, timeout=300):
        """Returns the exit code."""
        return self.process.wait(timeout)

    @property
    def output(self):
        return self.log.read_text()

    def wait_for(self, text, timeout=120):
        """Waits until the output has `text`; False if it ended without."""
        deadline = time.monotonic() + timeout
        while text not in self.output:
            if self.process.poll() is not None:
                return text in self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)
        return True


def find_ports(number):
    """Returns ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def make_tf_configs(num_workers):
    """Returns TF_CONFIG of each worker, all on this machine."""
    workers = [f"localhost:{port}" for port in find_ports(num_workers)]
    return [
        json.dumps(
            {
                "cluster": {"worker": workers},
                "task": {"type": "worker", "index": index},
            }
        )
        for index in range(num_workers)
    ]


def start(log, *flags, **environment):
    """Starts a trainer."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer", *map(str, flags)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return Trainer(process, log)


def start_all(strategy, log_dir, *flags):
    """Starts all processes of a run under one of `STRATEGIES`; chief first."""
    flags = (*STRATEGIES[strategy], *flags)
    if not strategy.startswith("multi_worker"):
        return [start(log_dir / f"{strategy}.log", *flags)]
    tf_configs = make_tf_configs(int(strategy[-1]))
    return [
        start(log_dir / f"{strategy}.{index}.log", *flags, TF_CONFIG=tf_config)
        for index, tf_config in enumerate(tf_configs)
    ]


def run_all(strategy, log_dir, *flags):
    """Runs a training under one of `STRATEGIES` to its end."""
    trainers = start_all(strategy, log_dir, *flags)
    for trainer in trainers:
        assert trainer.wait() == 0, trainer.output
    return trainers
