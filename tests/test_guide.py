"""The Python examples in docs/pipeline.md and docs/dataset.md work."""

import re

import pytest

import seqdigits_tfds
from helpers import ROOT

PAGES = ("pipeline", "dataset")


def find_examples():
    """Yields a name and the code of each example."""
    for page in PAGES:
        text = (ROOT / "docs" / f"{page}.md").read_text()
        for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            title = section.partition("\n")[0]
            codes = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
            for number, code in enumerate(codes, start=1):
                # Not in the environment of the short tests.
                is_long = re.search(
                    "^import (torch|grain)$", code, re.MULTILINE
                )
                yield pytest.param(
                    code,
                    id=f"{page}: {title}, {number}",
                    marks=[pytest.mark.long] if is_long else [],
                )


EXAMPLES = list(find_examples())


def test_there_is_an_example_for_each_framework():
    ids = " ".join(example.id for example in EXAMPLES)
    for title in ("Keras", "A custom loop", "PyTorch", "JAX"):
        assert f"pipeline: {title}" in ids
    for number in range(1, 5):
        assert f"dataset: Without files, {number}" in ids


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code, optdigits_data_dir, tmp_path, monkeypatch, capsys):
    for library in ("jax", "torch", "grain"):
        if re.search(f"^import {library}", code, re.MULTILINE):
            pytest.importorskip(library)
    data = tmp_path / "data"
    (data / "seqdigits").mkdir(parents=True)
    (data / "seqdigits" / "optdigits").symlink_to(
        optdigits_data_dir / "seqdigits" / "optdigits"
    )
    monkeypatch.setattr(
        "tensorflow_datasets.core.constants.DATA_DIR", str(data)
    )
    monkeypatch.chdir(tmp_path)
    if 'data_dir="elsewhere"' in code:
        seqdigits_tfds.Builder(
            config="optdigits",
            data_dir="elsewhere",
            file_format="array_record",
        ).download_and_prepare()
    exec(code, {})
    assert capsys.readouterr().out.strip() or list(tmp_path.glob("*.png"))
