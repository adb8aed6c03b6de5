"""Random access to records, and what is remembered of a verified dataset."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import seqdigits_tfds
from helpers import TINY, build_custom
from seqdigits_tfds import InputError, SeqDigitsConfig
from seqdigits_tfds.records import choose_block
from trainer.data import make_train_dataset, open_split, records


@pytest.fixture
def builder(tiny_data_dir, tmp_path):
    """A copy of `seqdigits/tiny` that a test may damage."""
    shutil.copytree(tiny_data_dir, tmp_path / "data")
    return tfds.builder("seqdigits/tiny", data_dir=tmp_path / "data")


@pytest.fixture
def scans(monkeypatch):
    """The files that are read as a whole."""
    scanned, scan = [], records._scan_tfrecords
    monkeypatch.setattr(
        records,
        "_scan_tfrecords",
        lambda path: scanned.append(path) or scan(path),
    )
    return scanned


@pytest.fixture
def shard(builder):
    return builder.info.splits["train"].filepaths[3]


def read_in_order(builder):
    """Returns all records of `train`."""
    paths = [str(path) for path in builder.info.splits["train"].filepaths]
    return list(tf.data.TFRecordDataset(paths).as_numpy_iterator())


def test_every_record_can_be_read_alone(builder):
    expected = read_in_order(builder)
    opened = records.open_records(builder, "train")
    assert len(opened) == len(expected) == 480
    rows = np.random.default_rng(0).permutation(480)
    assert opened.__getitems__(rows) == [expected[row] for row in rows]
    assert [opened.__getitems__([row])[0] for row in range(480)] == expected


def test_a_dataset_is_only_read_once(builder, scans):
    digest = records.verify_records(builder)
    assert len(scans) == len(set(scans)) == 24
    open_split(builder, "train", ["label"], from_disk=True)
    assert records.verify_records(builder) == digest
    assert len(scans) == 24


@pytest.mark.parametrize("change", ["content", "time", "same size and time"])
def test_a_changed_file_is_noticed(builder, shard, scans, change):
    before = records.verify_records(builder)
    stat = os.stat(shard)
    if change != "time":
        other = builder.info.splits["train"].filepaths[4].read_bytes()
        other = other[: stat.st_size].ljust(stat.st_size, b"0")
        shard.write_bytes(other)
    os.utime(
        shard, ns=(stat.st_atime_ns, stat.st_mtime_ns + (change == "time"))
    )
    if change == "time":
        assert records.verify_records(builder) == before
        assert len(scans) == 48
    else:
        with pytest.raises(InputError, match="00003-of-00008 is damaged"):
            open_split(builder, "train", ["label"], from_disk=True)


@pytest.mark.parametrize(
    "damage", [b"", b"no NumPy file", "shorter", "other offsets"]
)
def test_a_damaged_index_is_made_again_or_refused(
    builder, cache_dir, scans, damage
):
    open_split(builder, "train", ["label"], from_disk=True)
    path = max(cache_dir.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    index = np.load(path)
    if damage == "shorter":
        np.save(path, index[:-1])
    elif damage == "other offsets":
        # `train` is the second of the three splits.
        first = 4 + 80 + 8
        np.save(path, np.concatenate([index[:first], index[first:] + 1]))
    else:
        path.write_bytes(damage)
    split = open_split(builder, "train", ["label"], from_disk=True)
    if damage == "other offsets":
        with (
            pytest.raises(InputError, match="changed while in use"),
            records.explain_read_errors(),
        ):
            next(iter(make_train_dataset(split, 48, 0)))
        with pytest.raises(InputError, match="changed while in use"):
            open_split(builder, "train", ["label"])
    else:
        assert len(scans) == 48
        next(iter(make_train_dataset(split, 48, 0)))
        assert (np.load(path) == index).all()


def test_a_replaced_file_does_not_change_a_run(builder, shard):
    """The files stay open, so their replacement is not read."""
    split = open_split(builder, "train", ["image", "label"], from_disk=True)
    expected = split.read(np.arange(480))
    replacement = shard.with_name("other")
    replacement.write_bytes(b"?" * 1000)
    replacement.replace(shard)
    found = split.read(np.arange(480))
    assert (found["image"] == expected["image"]).numpy().all()


def test_without_a_cache_folder_a_dataset_is_read_each_time(
    builder, scans, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    expected = read_in_order(builder)
    for _ in range(2):
        opened = records.open_records(builder, "train")
        assert opened.__getitems__([7]) == [expected[7]]
    assert len(scans) == 48


def test_the_index_of_a_changed_dataset_replaces_the_old_one(
    builder, shard, cache_dir
):
    before = set(cache_dir.glob("*"))
    records.verify_records(builder)
    os.utime(shard)
    records.verify_records(builder)
    assert len(set(cache_dir.glob("*")) - before) == 1


def test_the_digest_does_not_depend_on_the_number_of_shards(builder, tmp_path):
    build_custom(tmp_path / "other", num_shards=3, **TINY)
    other = tfds.builder("seqdigits/tiny", data_dir=tmp_path / "other")
    assert len(other.info.splits["train"].filepaths) == 3
    assert records.verify_records(other) == records.verify_records(builder)


def test_array_records_have_the_same_examples(builder, tmp_path):
    build_custom(tmp_path / "other", file_format="array_record", **TINY)
    other = tfds.builder("seqdigits/tiny", data_dir=tmp_path / "other")
    for part in ("train", "test[10:20]"):
        expected, found, in_memory = (
            open_split(each, part, from_disk=from_disk)
            for each, from_disk in (
                (builder, True),
                (other, True),
                (other, False),
            )
        )
        rows = np.arange(len(expected))[::-1].copy()
        expected = expected.read(rows)
        for split in (found, in_memory):
            assert len(split) == len(rows)
            for name, values in split.read(rows).items():
                assert (values == expected[name]).numpy().all()
    path = other.info.splits["train"].filepaths[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        open_split(other, "train", from_disk=True)


def test_large_examples_are_handled_in_small_blocks():
    def choose(**fields):
        config = SeqDigitsConfig(name="any", source="optdigits", **fields)
        features = seqdigits_tfds.Builder(config=config).info.features
        return choose_block(features)

    assert choose() == 250
    size = {"image_height": 512, "image_width": 1024, "max_digits": 10}
    assert choose(**size) == 31
    assert choose(**size, layout="scattered", masks=True) == 2
    assert choose(image_height=4096, image_width=4096) == 1


def test_an_unprepared_dataset_is_rejected(tmp_path):
    builder = seqdigits_tfds.Builder(config="optdigits", data_dir=tmp_path)
    with pytest.raises(InputError, match="must be prepared in"):
        open_split(builder, "train")


@pytest.mark.parametrize("name", ["testing", "train[:3", "train[900:]"])
def test_unknown_splits_are_rejected(builder, name):
    with pytest.raises(InputError, match="split must be one of train, valid"):
        open_split(builder, name)
