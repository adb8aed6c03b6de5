"""The dataset, the pipeline and a short training with the oldest versions."""

import json
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

FILES = (
    "pipeline",
    "records",
    "any_dataset",
    "png",
    "optimizer",
    "steps",
    "networks",
    "normalization",
)


def test_the_oldest_versions_work(tiny_data_dir, tmp_path):
    run_python("-m", "venv", tmp_path / "environment")
    python = tmp_path / "environment" / "bin" / "python"
    run(
        *(python, "-m", "pip", "install", "--quiet", "--no-compile"),
        *("-c", ROOT / "tests" / "oldest.txt"),
        *(ROOT, "pytest", "pytest-xdist"),
        cwd=tmp_path,
    )
    done = run(
        *(python, "-m", "pytest", "-q", "--numprocesses=0"),
        *(f"tests/test_{name}.py" for name in FILES),
    )
    assert " passed" in done.stdout
    run(
        *(python, "-m", "trainer", "--dataset=seqdigits/tiny"),
        *(f"--data_dir={tiny_data_dir}", f"--workdir={tmp_path / 'run'}"),
        *("--global_batch_size=48", "--max_steps=5"),
        cwd=tmp_path,
    )
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["versions"]["tensorflow"].startswith("2.16.")
    assert (tmp_path / "run" / "results.json").exists()
