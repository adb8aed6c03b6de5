"""The examples in README.md work."""

import os
import pathlib
import re
import sys

import pytest
import tensorflow_datasets as tfds

import pictures
import seqdigits_tfds
from helpers import ROOT, run, run_python

README = (ROOT / "README.md").read_text()
INSTALLS = "pip install"


def find_examples():
    """Returns the language and code of each example, by section."""
    sections = {}
    for section in re.split(r"^## ", README, flags=re.MULTILINE):
        title, _, content = section.partition("\n")
        examples = [
            (language, code)
            for language, code in re.findall(
                r"```(python|sh)\n(.*?)```", content, re.DOTALL
            )
            # `.ci/run` runs the examples that install the project.
            if INSTALLS not in code
        ]
        if examples:
            sections[title] = examples
    return sections


SECTIONS = find_examples()


@pytest.fixture
def is_whole(pytestconfig):
    """Whether to train in full, on the complete data."""
    return pytestconfig.getoption("whole_trainings")


@pytest.fixture
def place(is_whole, mnist_dir, optdigits_data_dir, tmp_path):
    """A folder like a checkout, with the files that the examples name."""
    for folder in ("seqdigits_tfds", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "mnist").symlink_to(mnist_dir)
    pictures.photograph(pictures.draw("12")).save(tmp_path / "photo.jpg")
    (tmp_path / "scans").mkdir()
    pictures.draw("7").save(tmp_path / "scans" / "seven.png")
    seqdigits_tfds.Builder(
        data_dir=tmp_path / "data", config="mnist"
    ).download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=mnist_dir,
            max_examples_per_split=None if is_whole else 500,
        )
    )
    for config in (optdigits_data_dir / "seqdigits").glob("[a-z]*"):
        (tmp_path / "data" / "seqdigits" / config.name).symlink_to(config)
    return tmp_path


@pytest.mark.parametrize("title", list(SECTIONS))
def test_examples_run_one_after_the_other(title, place, is_whole):
    environment = {
        "PYTHONPATH": str(ROOT),
        "TFDS_DATA_DIR": str(place / "data"),
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for language, code in SECTIONS[title]:
        if language == "python":
            done = run_python("-c", code, cwd=place, **environment)
            assert done.stdout.strip()
            continue
        if not is_whole:
            code = re.sub(
                r"(-m trainer --(?!help).*?)( &| #|$)",
                r"\1 --max_steps=4\2",
                code,
                flags=re.MULTILINE,
            )
        # absl's --help exits with 1.
        code = code.replace("--help", "--help || true")
        done = run(
            *("env", "--unset=TF_CPP_MIN_LOG_LEVEL", "bash", "-ec", code),
            cwd=place,
            **environment,
        )
        # A background command that fails does not fail the block.
        assert not re.search("(?m)Traceback|^error:", done.stderr)
        if "tfds build" not in code:  # TFDS does not hide messages.
            assert not re.search("oneDNN|cuda|WARNING", done.stderr)


def test_commands_in_sentences_are_those_of_examples():
    code = "\n".join(
        code for code in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    )
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    for command in re.findall(r"`((?:python|tfds build|pip) [^`]*)`", text):
        assert " ".join(command.split()) in code or command.startswith(INSTALLS)


def test_ci_runs_the_test_command():
    command = re.search(r"```sh\n(.* pytest)\n```", README)[1]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()
