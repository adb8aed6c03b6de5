"""The deliberate faults of `programs/mutations.py` fit the present code."""

import pytest

from helpers import ROOT
from mutations import read_faults


@pytest.mark.parametrize("fault", list(read_faults()), ids=lambda f: f["name"])
def test_a_fault_can_be_applied(fault):
    assert (ROOT / fault["file"]).read_text().count(fault["old"]) == 1
    assert fault["old"] != fault["new"]
    for name in fault["tests"]:
        file, _, function = name.partition("::")
        assert function in (ROOT / f"tests/test_{file}.py").read_text()
