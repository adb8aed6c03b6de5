"""Starts trainers in the background: one process, or several workers."""

import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

from helpers import PROGRAMS, ROOT

STRATEGIES = {
    "one_device": ["--strategy=one_device"],
    "mirrored_2": ["--strategy=mirrored", "--virtual_devices=2"],
    "mirrored_3": ["--strategy=mirrored", "--virtual_devices=3"],
    "mirrored_4": ["--strategy=mirrored", "--virtual_devices=4"],
    "multi_worker_2": ["--strategy=multi_worker"],
    "multi_worker_3": ["--strategy=multi_worker"],
}
"""The flags of several ways to distribute a run."""

PYTHONPATH = os.pathsep.join(map(str, (ROOT, PROGRAMS)))
DEFAULT = ("-m", "trainer")
SMALL = (*DEFAULT, "--model=small_network:small")
"""The programs that can be started: the trainer, and it with a small model."""


@dataclasses.dataclass
class Trainer:
    """A running process, and the file with its output."""

    process: subprocess.Popen
    log: pathlib.Path

    def wait(self, timeout=1_200):
        """Returns the exit code."""
        return self.process.wait(timeout)

    @property
    def output(self):
        return self.log.read_text()

    def wait_until(self, condition, timeout=600):
        """Waits for a condition; fails if the process ends first."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.002)


def find_ports(number):
    """Returns some free ports."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def make_tf_configs(num_workers):
    """Returns the TF_CONFIG of each worker, all on this machine."""
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


def start(log, *flags, program=DEFAULT, **environment):
    """Starts a trainer."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, *map(str, (*program, *flags))],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": PYTHONPATH, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return Trainer(process, log)


def start_all(strategy, log_dir, *flags, program=DEFAULT):
    """Starts all processes of a run with one of `STRATEGIES`, chief first."""
    flags = (*STRATEGIES[strategy], *flags)
    if not strategy.startswith("multi_worker"):
        return [start(log_dir / f"{strategy}.log", *flags, program=program)]
    return [
        start(
            log_dir / f"{strategy}.{index}.log",
            *flags,
            program=program,
            TF_CONFIG=tf_config,
        )
        for index, tf_config in enumerate(make_tf_configs(int(strategy[-1])))
    ]


def run_all(strategy, log_dir, *flags, program=DEFAULT):
    """Runs training with one of `STRATEGIES` until it ends."""
    running = start_all(strategy, log_dir, *flags, program=program)
    for trainer in running:
        assert trainer.wait() == 0, trainer.output
    return running
