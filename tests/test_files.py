"""Files are written completely or not at all."""

import contextlib
import pathlib
import tempfile

import pytest

from seqdigits_tfds import InputError
from trainer.run.files import check_writable, write_atomically


def test_a_failed_write_keeps_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    write_atomically(path, b"old")

    def write_half(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "write_bytes", write_half)
        with pytest.raises(InputError, match=r"results.json can't be written"):
            write_atomically(path, b"new content")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [
        ("results.json", b"old")
    ]


def test_checking_a_directory_leaves_nothing(tmp_path):
    check_writable(tmp_path / "a" / "b", "workdir")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="workdir must be a writable"):
        check_writable(tmp_path / "file" / "b", "workdir")


def test_other_runs_may_use_a_folder_that_was_tried(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def begin_other_run(**_):
        (tmp_path / "new" / "other").mkdir()
        yield

    monkeypatch.setattr(tempfile, "TemporaryFile", begin_other_run)
    check_writable(tmp_path / "new" / "run", "workdir")
    assert (tmp_path / "new" / "other").exists()
    assert not (tmp_path / "new" / "run").exists()
