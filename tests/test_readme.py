"""What README.md shows is true."""

import re
import shutil

import pytest

from conftest import ROOT, run_python
from trainer.__main__ import flags

README = (ROOT / "README.md").read_text()
PYTHON_EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("number", range(len(PYTHON_EXAMPLES)))
def test_python_examples_run(
    number, mnist_data_dir, optdigits_data_dir, first_run, tmp_path
):
    shutil.copytree(first_run / "my_run", tmp_path / "my_run")
    data_dir = tmp_path / "data"
    (data_dir / "seqdigits").mkdir(parents=True)
    for prepared in (mnist_data_dir, optdigits_data_dir):
        for config in (prepared / "seqdigits").glob("[a-z]*"):
            (data_dir / "seqdigits" / config.name).symlink_to(config)
    done = run_python(
        "-c",
        PYTHON_EXAMPLES[number],
        cwd=tmp_path,
        PYTHONPATH=str(ROOT),
        TFDS_DATA_DIR=str(data_dir),
    )
    assert done.stdout.strip()


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
