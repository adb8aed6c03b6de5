"""`python -m trainer.evaluate`."""

import json

import pytest

from conftest import TINY, build_custom, run_python


def evaluate(*arguments, **kwargs):
    return run_python("-m", "trainer.evaluate", *arguments, **kwargs)


def test_figures_are_those_of_the_trainings_end(first_run):
    run_dir = first_run / "my_run"
    done = evaluate(f"--workdir={run_dir}", "--json")
    answer = json.loads(done.stdout)
    results = json.loads((run_dir / "results.json").read_text())
    assert answer == {k: v for k, v in results.items() if k != "step"}


def test_other_datasets_and_splits(first_run, tiny_data_dir):
    done = evaluate(
        f"--workdir={first_run / 'my_run'}",
        *("--dataset=seqdigits/tiny", f"--data_dir={tiny_data_dir}"),
        "--split=validation",
    )
    assert "validation of seqdigits/tiny/1.0.0, 40 images" in done.stdout


def test_other_shapes_are_refused(first_run, tmp_path):
    build_custom(tmp_path, **{**TINY, "name": "three"}, max_digits=3)
    done = evaluate(
        f"--workdir={first_run / 'my_run'}",
        *("--dataset=seqdigits/three", f"--data_dir={tmp_path}"),
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "dataset must be of the model's shape" in line
    assert "num_positions=3" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split=trial"], "split must be one of"),
        (["--dataset=seqdigits/none"], "neither one of seqdigits' own configs"),
        (["--workdir=/nowhere"], "must be the directory of a run"),
    ],
)
def test_bad_input_is_one_line(first_run, arguments, message):
    done = evaluate(
        f"--workdir={first_run / 'my_run'}", *arguments, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
