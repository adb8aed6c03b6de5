"""What is released: the wheel, the archive of the source, and the version."""

import re
import tomllib
import zipfile

import pytest

from helpers import ROOT, run_python


def read_version():
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return content["project"]["version"]


def test_the_changelog_and_the_citation_have_the_version():
    version = read_version()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## ([\d.]+)", changelog, re.MULTILINE)[0] == version
    assert f"version = {{{version}}}" in (ROOT / "README.md").read_text()


@pytest.mark.long
def test_two_builds_are_equal(tmp_path):
    """The second one is built from the first one's archive of the source."""
    files = {}
    for number, source in enumerate((ROOT, None)):
        folder = tmp_path / str(number)
        if source is None:
            (archive,) = (tmp_path / "0").glob("*.tar.gz")
            run_python(*("-m", "tarfile", "-e", archive, tmp_path / "source"))
            (source,) = (tmp_path / "source").iterdir()
        run_python("-m", "build", "--outdir", folder, source)
        files[number] = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert len(files[0]) == 2
    assert files[0] == files[1]
    (wheel,) = (tmp_path / "0").glob("*.whl")
    assert f"-{read_version()}-" in wheel.name
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    for name in (
        "trainer/doctor/__main__.py",
        "trainer/report/template.html",
        "trainer/report/card.md.jinja",
        "seqdigits_tfds/card.md.jinja",
        "trainer/py.typed",
    ):
        assert name in names
    assert not [name for name in names if name.startswith("tests")]
