"""The dataset, the pipeline and short trainings with the oldest versions."""

import sys

import pytest

from helpers import ROOT, run, run_python

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        sys.version_info >= (3, 13),
        reason="the oldest TensorFlow has no wheels for this Python",
    ),
]

FILES = ("pipeline", "png", "optimizer", "steps", "train", "networks")


def test_the_oldest_versions_work(tmp_path):
    run_python("-m", "venv", tmp_path / "environment")
    python = tmp_path / "environment" / "bin" / "python"
    run(
        *(python, "-m", "pip", "install", "--quiet", "--no-compile"),
        *("-c", ROOT / "tests" / "oldest.txt"),
        *(ROOT, "pytest", "pytest-xdist"),
        cwd=tmp_path,
    )
    done = run(
        *(python, "-m", "pytest", "-q", "--numprocesses=2"),
        *(f"tests/test_{name}.py" for name in FILES),
    )
    assert " passed" in done.stdout.splitlines()[-1]
