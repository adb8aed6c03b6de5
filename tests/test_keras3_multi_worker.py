"""The program of docs/keras3_multi_worker.md resumes exactly."""

import re

import numpy as np
import pytest

import trainers
from helpers import ROOT


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    text = (ROOT / "docs" / "keras3_multi_worker.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    path = tmp_path_factory.mktemp("keras3") / "program.py"
    path.write_text(code)
    return path


def start_workers(program, checkpoint):
    return [
        trainers.start(
            checkpoint.with_suffix(f".{index}.log"),
            checkpoint,
            program=(program,),
            TF_CONFIG=tf_config,
        )
        for index, tf_config in enumerate(trainers.make_tf_configs(2))
    ]


def test_the_program_is_short(program):
    assert len(program.read_text().splitlines()) <= 105


@pytest.mark.long
def test_a_killed_run_ends_like_an_undisturbed_one(program, tmp_path):
    undisturbed, killed = tmp_path / "undisturbed.npz", tmp_path / "killed.npz"
    for worker in start_workers(program, undisturbed):
        assert worker.wait() == 0, worker.output
    chief, other = start_workers(program, killed)
    other.wait_until(lambda: "step 20" in other.output)
    other.process.kill()
    assert chief.wait() != 0
    with np.load(killed) as saved:
        assert 15 <= saved["arr_0"] < 60
    for worker in start_workers(program, killed):
        assert worker.wait() == 0, worker.output
        assert "step 60" in worker.output
        assert "step 5," not in worker.output
    with np.load(undisturbed) as expected, np.load(killed) as found:
        assert expected.files == found.files
        for name in expected.files:
            np.testing.assert_array_equal(found[name], expected[name])
