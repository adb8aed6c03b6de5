"""What README.md shows is true."""

import json
import os
import pathlib
import re
import shutil
import sys

import pytest

import pictures
import trainer.__main__
from conftest import ROOT, run, run_python
from trainer.__main__ import flags

README = (ROOT / "README.md").read_text()
PYTHON_EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL_EXAMPLES = [
    example
    for example in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    # The tests are not run in themselves, nor what installs the project.
    if "pip install" not in example
]


@pytest.fixture
def place(mnist_data_dir, optdigits_data_dir, first_run, tmp_path):
    """A folder like a checkout; both datasets are prepared, a run has ended."""
    (tmp_path / "seqdigits_tfds").symlink_to(ROOT / "seqdigits_tfds")
    shutil.copytree(first_run / "my_run", tmp_path / "my_run")
    config_path = tmp_path / "my_run" / "config.json"
    content = json.loads(config_path.read_text())
    content["config"]["data_dir"] = None
    config_path.write_text(json.dumps(content))
    data_dir = tmp_path / "data"
    (data_dir / "seqdigits").mkdir(parents=True)
    for prepared in (mnist_data_dir, optdigits_data_dir):
        for config in (prepared / "seqdigits").glob("[a-z]*"):
            (data_dir / "seqdigits" / config.name).symlink_to(config)
    environment = {
        "PYTHONPATH": str(ROOT),
        "TFDS_DATA_DIR": str(data_dir),
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return tmp_path, environment


@pytest.mark.parametrize("number", range(len(PYTHON_EXAMPLES)))
def test_python_examples_run(number, place):
    folder, environment = place
    done = run_python("-c", PYTHON_EXAMPLES[number], cwd=folder, **environment)
    assert done.stdout.strip()


@pytest.mark.parametrize("number", range(len(SHELL_EXAMPLES)))
def test_shell_examples_run(number, place, mnist_dir):
    folder, environment = place
    (folder / "path" / "to").mkdir(parents=True)
    (folder / "path" / "to" / "mnist").symlink_to(mnist_dir)
    pictures.photograph(pictures.draw("12")).save(folder / "photo.jpg")
    (folder / "scans").mkdir()
    pictures.draw("7").save(folder / "scans" / "seven.png")
    # Training is cut short; `--help` ends with 1, as absl has it.
    commands = re.sub(
        r"(-m trainer --(?!help).*?)( &| #|$)",
        r"\1 --max_steps=4\2",
        SHELL_EXAMPLES[number],
        flags=re.MULTILINE,
    ).replace("--help", "--help || true")
    done = run("bash", "-ec", commands, cwd=folder, **environment)
    assert "Traceback" not in done.stderr


def test_help_names_each_flag_in_a_group():
    named = re.findall(r"\b[a-z_]+\b", trainer.__main__.__doc__)
    own = flags.FLAGS.get_key_flags_for_module("trainer.__main__")
    assert {flag.name for flag in own} <= set(named)


def test_ci_runs_the_test_command():
    command = re.search(r"```sh\n(.* pytest)\n```", README)[1]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_flag_table_is_complete():
    table = README[README.index("| flag |") : README.index("The run directory")]
    named = set(re.findall(r"`--(\w+)`", table))
    own = {
        flag.name
        for flag in flags.FLAGS.get_key_flags_for_module("trainer.__main__")
    }
    assert named == own
