"""The program `trainer.verify`."""

import os
import shutil

import pytest
import tensorflow_datasets as tfds
from absl.testing import flagsaver

from seqdigits_tfds import InputError
from trainer import verify
from trainer.data.records import verify_records


@pytest.fixture
def run(capsys):
    """Runs the program; returns its output."""

    def call(**flags):
        verify.flags.FLAGS.mark_as_parsed()
        with flagsaver.flagsaver(**flags):
            verify.main(["verify"])
        return capsys.readouterr().out

    return call


def test_all_files_are_read_again(run, tiny_data_dir, tmp_path):
    data_dir = tmp_path / "data"
    shutil.copytree(tiny_data_dir, data_dir)
    builder = tfds.builder("seqdigits/tiny", data_dir=data_dir)
    digest = verify_records(builder)
    flags = {"dataset": "seqdigits/tiny", "data_dir": str(data_dir)}
    assert run(**flags) == (
        f"seqdigits/tiny/1.0.0: 600 records, SHA-256 {digest}\n"
    )
    shard = builder.info.splits["train"].filepaths[3]
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    os.utime(shard)
    with pytest.raises(InputError, match="00003-of-00008 is damaged"):
        run(**flags)


def test_an_unknown_dataset_is_refused(run, tmp_path):
    with pytest.raises(
        InputError, match=r"dataset must be prepared in .*'tiny'"
    ):
        run(dataset="tiny", data_dir=str(tmp_path))
