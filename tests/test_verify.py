"""`python -m seqdigits_tfds.verify` finds whatever is wrong with a copy."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import seqdigits_tfds
from helpers import TINY, build_custom, run_python
from seqdigits_tfds import InputError, SeqDigitsConfig
from seqdigits_tfds.records import encode_examples
from seqdigits_tfds.verify import verify_dataset


@pytest.fixture
def folder(tiny_data_dir, tmp_path):
    """A copy of the prepared dataset."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny_data_dir / "seqdigits" / "tiny" / "2.0.0", copy)
    return copy


def change(folder, number, edit):
    """Replaces example `number` of a shard of `train` after editing it."""
    (path,) = folder.glob("*train*-00003-of-00008")
    features = tfds.builder_from_directory(folder).info.features
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    example = features.deserialize_example(records[number])
    batch = {name: value.numpy()[None] for name, value in example.items()}
    edit(batch)
    (records[number],) = encode_examples(batch, features)
    write(path, records)


def write(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def test_the_digest_is_printed(folder):
    digest = tfds.builder_from_directory(folder).info.metadata["digest"]
    done = run_python("-m", "seqdigits_tfds.verify", folder)
    assert done.stdout == f"{folder}: {digest}\n"


def test_a_flipped_bit_in_a_pixel_is_found(folder):
    def flip(batch):
        batch["image"][0, 12, 3, 0] ^= 1

    change(folder, 7, flip)
    # Shard 3 of 8 with 480 examples begins with example 180.
    with pytest.raises(
        InputError,
        match=r"00003-of-00008 differs in example 187 of train:"
        r" image\[12, 3, 0\] must be \d+, found \d+; copy or build",
    ):
        verify_dataset(folder)


def test_a_wrong_label_is_found(folder):
    def relabel(batch):
        batch["label"][0, 0] = (batch["label"][0, 0] + 1) % 10

    change(folder, 59, relabel)
    with pytest.raises(
        InputError,
        match=r"example 239 of train: label\[0\] must be \d, found \d;",
    ):
        verify_dataset(folder)


def test_swapped_records_are_found(folder):
    (path,) = folder.glob("*validation*-00000-of-00008")
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    records[1], records[3] = records[3], records[1]
    write(path, records)
    with pytest.raises(InputError, match="differs in example 1 of validation"):
        verify_dataset(folder)


def test_a_missing_shard_is_found(folder):
    (path,) = folder.glob("*test*-00005-of-00008")
    path.unlink()
    with pytest.raises(
        InputError, match="00005-of-00008 is missing: expected 10 records"
    ):
        verify_dataset(folder)


def test_a_missing_record_is_found(folder):
    (path,) = folder.glob("*test*-00005-of-00008")
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    write(path, records[:-1])
    with pytest.raises(InputError, match="must have 10 records, found 9"):
        verify_dataset(folder)


def test_damaged_bytes_are_found(folder):
    (path,) = folder.glob("*test*-00005-of-00008")
    content = bytearray(path.read_bytes())
    content[3_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="00005-of-00008 can't be read"):
        verify_dataset(folder)


def test_another_seed_is_found(folder, tmp_path):
    """The metadata of one dataset beside the records of another."""
    build_custom(tmp_path, **{**TINY, "name": "other", "seed": 7})
    other = tmp_path / "seqdigits" / "other" / "2.0.0"
    shutil.copy(other / "metadata.json", folder)
    with pytest.raises(InputError, match="differs in example 0 of train"):
        verify_dataset(folder)


def test_other_features_are_found(folder, tmp_path):
    """Metadata of wider images beside the records."""
    build_custom(tmp_path, **{**TINY, "name": "other", "image_width": 80})
    other = tmp_path / "seqdigits" / "other" / "2.0.0"
    shutil.copy(other / "metadata.json", folder)
    with pytest.raises(
        InputError,
        match=r"must have features .*\(64, 80, 1\).*, found .*64, 64",
    ):
        verify_dataset(folder)


def test_a_copy_may_be_anywhere(folder, monkeypatch):
    expected = verify_dataset(folder)
    monkeypatch.chdir(folder)
    assert verify_dataset(".") == expected


def test_a_standard_config_has_its_own_values(folder):
    """A custom dataset can't pass for one whose digest is published."""
    path = folder / "dataset_info.json"
    info = json.loads(path.read_text()) | {"configName": "optdigits"}
    path.write_text(json.dumps(info))
    with pytest.raises(
        InputError, match="must have num_train=20000, found 480"
    ):
        verify_dataset(folder)


def test_a_wrong_digest_is_found(folder):
    path = folder / "metadata.json"
    metadata = json.loads(path.read_text()) | {"digest": "0" * 64}
    path.write_text(json.dumps(metadata))
    with pytest.raises(InputError, match=r"must have the digest .*, found 000"):
        verify_dataset(folder)


def test_swapped_classes_are_found(folder):
    path = folder / "label.labels.txt"
    zero, one, *others = path.read_text().splitlines()
    path.write_text("\n".join([one, zero, *others]))
    with pytest.raises(InputError, match=r"the classes \['0', .*, found \['1'"):
        verify_dataset(folder)


@pytest.mark.parametrize(
    "name", ["dataset_info.json", "features.json", "metadata.json"]
)
@pytest.mark.parametrize("content", [b'{"cut": ', b"\xff\xfe", None])
def test_damaged_metadata_are_found(folder, name, content):
    path = folder / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"^[^\n]*(again|got '.*')$"):
        verify_dataset(folder)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"prepared dataset is wanted, .* got"):
        verify_dataset(tmp_path)


@pytest.mark.parametrize(
    ("file_format", "num_shards"), [("tfrecord", 3), ("array_record", 2)]
)
def test_the_digest_depends_neither_on_format_nor_on_shards(
    tiny_data_dir, tmp_path, file_format, num_shards
):
    build_custom(
        tmp_path, **TINY, file_format=file_format, num_shards=num_shards
    )
    digests = {
        verify_dataset(data_dir / "seqdigits" / "tiny" / "2.0.0")
        for data_dir in (tiny_data_dir, tmp_path)
    }
    assert len(digests) == 1


def test_the_digest_depends_on_every_value():
    sequences = seqdigits_tfds.Sequences(
        SeqDigitsConfig(name="tiny", source="optdigits"), "train"
    )
    indices = np.arange(5)
    examples = sequences.make_examples(indices)

    def digest(split="train", shift=0, **changes):
        return seqdigits_tfds.records.digest_examples(
            split, indices + shift, {**examples, **changes}
        )

    changed = [digest(split="test"), digest(shift=1)]
    for name, values in examples.items():
        other = values.copy()
        other.flat[-1] += 1
        changed.append(digest(**{name: other}))
    assert digest() not in changed
    assert len(set(changed)) == len(changed)


def test_parts_of_a_digest_add_up():
    sequences = seqdigits_tfds.Sequences(
        SeqDigitsConfig(name="tiny", source="optdigits"), "train"
    )

    def digest(start, stop):
        indices = np.arange(start, stop)
        return seqdigits_tfds.records.digest_examples(
            "train", indices, sequences.make_examples(indices)
        )

    assert (digest(0, 3) + digest(3, 10)) % 2**256 == digest(0, 10)
