"""Bad input to the trainer ends in one line, and leaves no partial files."""

import gzip
import os
import shutil

import pytest
import tensorflow_datasets as tfds

import seqdigits_tfds
from helpers import NO_NETWORK, TINY, build_custom, train
from seqdigits_tfds import InputError
from trainer.data import dataset


def test_the_program_ends_with_one_line_and_exit_code_1(tmp_path):
    done = train(
        "--dataset=seqdigits/optdigits",
        "--strategy=horovod",
        f"--workdir={tmp_path / 'run'}",
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "error: strategy must be one of one_device, mirrored, multi_worker, got"
        " 'horovod'\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.fixture
def fails(train_here, tmp_path):
    """Checks that the trainer rejects settings, and leaves no files."""

    def check(message, **settings):
        workdir = tmp_path / "workdir"
        with pytest.raises(InputError, match=message) as caught:
            train_here(workdir, **settings)
        assert "\n" not in str(caught.value)
        assert not workdir.exists()
        assert not list(tmp_path.rglob("incomplete*"))

    return check


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "imagenet"}, "got 'imagenet'"),
        (
            {"dataset": "seqdigits/svhn"},
            r"configs \(optdigits, optdigits_scattered, mnist,",
        ),
        ({"dataset": "seqdigits/mnist:9.0.0"}, "'seqdigits/mnist:9.0.0'"),
        (
            {
                "global_batch_size": 127,
                "strategy": "mirrored",
                "virtual_devices": 2,
            },
            "multiple of the number of replicas, got 127 for 2; try 128",
        ),
        (
            {"global_batch_size": 500},
            "at most the number of training examples, 480, got 500",
        ),
        (
            {"dataset": "seqdigits/mnist", "manual_dir": "/nowhere"},
            "manual_dir must be the directory that contains MNIST's files",
        ),
        (
            {"strategy": "mirrored", "virtual_devices": 3},
            "must be set before TensorFlow first uses a device",
        ),
    ],
)
def test_bad_settings(fails, settings, message):
    fails(message, **settings)


def test_fresh_sequences_need_the_digits(fails, mnist_data_dir, monkeypatch):
    """The prepared dataset does not contain the single digits."""
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    fails(
        "train-images-idx3-ubyte",
        dataset="seqdigits/mnist",
        train_sequences="fresh",
        data_dir=str(mnist_data_dir),
    )


def test_missing_files_without_a_network(fails, tmp_path, monkeypatch):
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    fails(
        "connect to the internet, or use seqdigits/optdigits",
        dataset="seqdigits/mnist",
        data_dir=str(tmp_path / "data"),
    )


def remove(path):
    path.unlink()


def change_content(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(content, 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove, "lacks t10k-labels-idx1-ubyte"),
        (change_content, "is not MNIST's t10k-labels-idx1-ubyte"),
    ],
)
def test_damaged_mnist_files(fails, mnist_dir, tmp_path, damage, message):
    manual_dir = tmp_path / "manual"
    manual_dir.mkdir()
    for path in mnist_dir.glob("*.gz"):
        shutil.copyfile(path, manual_dir / path.name)
    damage(manual_dir / "t10k-labels-idx1-ubyte.gz")
    fails(
        message,
        dataset="auto",
        manual_dir=str(manual_dir),
        data_dir=str(tmp_path / "data"),
    )
    assert not list(tmp_path.rglob("*.tfrecord*"))


def find_shard(data_dir, split):
    return next(data_dir.rglob(f"seqdigits-{split}.tfrecord-00003-of-00008"))


def delete_shard(data_dir):
    find_shard(data_dir, "test").unlink()


def truncate_shard(data_dir):
    shard = find_shard(data_dir, "train")
    os.truncate(shard, shard.stat().st_size - 10)


def empty_shard(data_dir):
    os.truncate(find_shard(data_dir, "validation"), 0)


def flip_byte_of_shard(data_dir):
    shard = find_shard(data_dir, "train")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


def damage_info(data_dir):
    (path,) = data_dir.glob("**/tiny/*/dataset_info.json")
    path.write_text('{"name": ')


def damage_metadata(data_dir):
    (path,) = data_dir.glob("**/tiny/*/metadata.json")
    path.write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_info, "the metadata of dataset .* are damaged .*; delete"),
        (damage_metadata, "the metadata of dataset .* are damaged .*; delete"),
        (delete_shard, "00003-of-00008 is missing: expected 10 examples"),
        (truncate_shard, "00003-of-00008 is damaged: expected 60 examples"),
        (flip_byte_of_shard, "00003-of-00008 is damaged: expected 60 examples"),
        (empty_shard, "is truncated: expected 5 examples, found 0"),
    ],
)
def test_damaged_datasets(fails, tiny_data_dir, tmp_path, damage, message):
    shutil.copytree(tiny_data_dir, tmp_path / "data")
    damage(tmp_path / "data")
    fails(message, data_dir=str(tmp_path / "data"))


def test_the_digest_depends_on_the_records(tiny_data_dir, tmp_path):
    """Even if they are undamaged, and their number is the same."""
    shutil.copytree(tiny_data_dir, tmp_path / "data")
    one, other = sorted((tmp_path / "data").rglob("*train.tfrecord*"))[:2]
    content = one.read_bytes()
    builder = tfds.builder("seqdigits/tiny", data_dir=tmp_path / "data")
    before = dataset.prepare_dataset(builder, None)
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert dataset.prepare_dataset(builder, None) != before


def test_the_digest_depends_on_the_examples(tiny_data_dir, tmp_path):
    """Even if name and number of examples are the same."""
    build_custom(tmp_path / "same", **TINY)
    build_custom(tmp_path / "other", **TINY, seed=7)
    expected, same, other = (
        dataset.prepare_dataset(
            tfds.builder("seqdigits/tiny", data_dir=data_dir), None
        )
        for data_dir in (tiny_data_dir, tmp_path / "same", tmp_path / "other")
    )
    assert same == expected != other


def test_other_file_formats_are_rejected(fails, tmp_path):
    build_custom(
        tmp_path / "data", file_format="parquet", **{**TINY, "name": "table"}
    )
    fails(
        "must contain TFRecords or ArrayRecords, got parquet",
        dataset="seqdigits/table",
        data_dir=str(tmp_path / "data"),
    )


def test_a_builder_needs_a_known_config(tmp_path):
    with pytest.raises(InputError, match=r"one of optdigits, .*, got 'svhn'"):
        seqdigits_tfds.Builder(config="svhn", data_dir=tmp_path)
