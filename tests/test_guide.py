"""The examples in docs/pipeline.md work."""

import re

import pytest

from helpers import ROOT

GUIDE = (ROOT / "docs" / "pipeline.md").read_text()
EXAMPLES = dict(
    re.findall(
        r"^## ([^\n]*)\n\n```python\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE
    )
)


def test_there_is_an_example_for_each_framework():
    assert [title.split()[0] for title in EXAMPLES] == [
        "Keras",
        "A",
        "PyTorch",
        "JAX",
    ]


@pytest.mark.parametrize("title", EXAMPLES)
def test_examples_run(title, optdigits_data_dir, monkeypatch, capsys):
    code = EXAMPLES[title]
    for library in ("jax", "torch"):
        if f"import {library}\n" in code:
            pytest.importorskip(library)
    monkeypatch.setattr(
        "tensorflow_datasets.core.constants.DATA_DIR", str(optdigits_data_dir)
    )
    exec(code, {})
    assert capsys.readouterr().out.strip()
