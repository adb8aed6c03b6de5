"""Runs `tfds build` in a new process."""

import os
import pathlib
import subprocess
import sys
import time

from benchmarks.remote import KIBIBYTE

MNIST = "seqdigits/mnist"
"""TFDS name of the dataset that all benchmarks use."""

_ROOT = pathlib.Path(__file__).parent.parent


def run_tfds_build(
    dataset: str,
    *flags: str,
    imports: str = "seqdigits_tfds",
    manual_dir: str,
    data_dir: str,
) -> tuple[float, int]:
    """Runs `tfds build`, and measures its time and memory.

    Args:
      dataset: TFDS name of the dataset.
      *flags: Additional flags.
      imports: The module that registers the dataset.
      manual_dir: Directory with MNIST's four files.
      data_dir: TFDS data directory.

    Returns:
      The wall time in seconds, and the peak resident memory in bytes.

    Raises:
      RuntimeError: If the command fails.
    """
    start = time.perf_counter()
    command = [
        str(pathlib.Path(sys.executable).with_name("tfds")),
        *("build", dataset, f"--imports={imports}"),
        *(f"--manual_dir={manual_dir}", f"--data_dir={data_dir}", *flags),
    ]
    process = subprocess.Popen(
        command,
        # `benchmarks` is not installed, only part of the checkout.
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # The peak memory is never below that of this process, which uses less than
    # any build.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"`{' '.join(command)}` failed with exit code {process.returncode}"
        )
    return seconds, usage.ru_maxrss * KIBIBYTE


def prepare_mnist(
    manual_dir: str, folder: pathlib.Path, file_format: str
) -> str:
    """Prepares `seqdigits/mnist`, unless its data directory already exists.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Directory for temporary data.
      file_format: One of TFDS's file formats.

    Returns:
      The data directory in `folder`.
    """
    data_dir = folder / file_format
    if not data_dir.exists():
        run_tfds_build(
            MNIST,
            f"--file_format={file_format}",
            manual_dir=manual_dir,
            data_dir=str(data_dir),
        )
    return str(data_dir)
