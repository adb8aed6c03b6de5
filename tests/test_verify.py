"""The program `trainer.verify`."""

import shutil

import pytest
import tensorflow_datasets as tfds

from seqdigits_tfds import InputError
from trainer import verify
from trainer.data.records import verify_records


def test_all_files_are_read_again(tiny_data_dir, tmp_path, capsys):
    folder = tmp_path / "seqdigits" / "tiny" / "1.0.0"
    shutil.copytree(tiny_data_dir / "seqdigits" / "tiny" / "1.0.0", folder)
    builder = tfds.builder_from_directory(folder)
    digest = verify_records(builder)
    verify.main(["verify", str(folder)])
    out = capsys.readouterr().out
    assert out == f"{folder}: 600 records, SHA-256 {digest}\n"
    shard = builder.info.splits["train"].filepaths[3]
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError, match="00003-of-00008 is damaged"):
        verify.main(["verify", str(folder)])


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"folder of a prepared dataset, .* got"
    ):
        verify.main(["verify", str(tmp_path)])
