"""The tutorial runs from top to bottom."""

import resource

import nbclient
import nbformat
import pytest

from helpers import ROOT


@pytest.mark.long
def test_the_tutorial_runs(tmp_path, monkeypatch):
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    # Five minutes on two cores; other tests may use them at the same time.
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 2 * 300
    outputs = [
        output for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    answers = [o["data"].get("text/plain") for o in outputs if "data" in o]
    assert "True" in answers
    assert sum("image/svg+xml" in o.get("data", {}) for o in outputs) == 3
    assert not [
        o for o in outputs if o.get("name") == "stderr" and "Error" in o.text
    ]
