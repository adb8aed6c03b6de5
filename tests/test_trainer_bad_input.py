"""What a person may get wrong at `python -m trainer`: one line each."""

import gzip
import os
import shutil

import pytest
import tensorflow_datasets as tfds

import seqdigits_tfds
from conftest import NO_NETWORK, train


@pytest.fixture
def fails(optdigits_data_dir, tmp_path):
    """Runs the trainer and checks that it ends in one clear line."""

    def check(*flags, message, data_dir=optdigits_data_dir, **environment):
        workdir = tmp_path / "workdir"
        done = train(
            "--dataset=seqdigits/optdigits",
            f"--data_dir={data_dir}",
            f"--workdir={workdir}",
            *flags,
            check=False,
            **environment,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        lines = done.stderr.splitlines()
        assert lines[-1].startswith("error: ")
        assert message in lines[-1]
        assert len([line for line in lines if "error" in line]) == 1
        assert not workdir.exists()
        assert not list(tmp_path.rglob("incomplete*"))

    return check


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--strategy=horovod"],
            "one of one_device, mirrored, multi_worker, got 'horovod'",
        ),
        (["--dataset=imagenet"], "got 'imagenet'"),
        (["--dataset=seqdigits/svhn"], "(optdigits, mnist)"),
        (["--dataset=seqdigits/mnist:9.0.0"], "'seqdigits/mnist:9.0.0'"),
        (
            ["--global_batch_size=128", "--virtual_devices=3"],
            "multiple of the number of replicas, got 128 for 3; try 129",
        ),
        (
            ["--global_batch_size=30000"],
            "at most the number of training examples, 20000, got 30000",
        ),
        (["--workdir=/proc/nowhere"], "workdir must be a directory"),
        (["--workdir=/dev/null/run"], "workdir must be a directory"),
        (
            ["--data_dir=/proc/nowhere"],
            "data_dir must be a directory that can be written to",
        ),
        (
            ["--dataset=seqdigits/mnist", "--manual_dir=/nowhere"],
            "manual_dir must be the directory that MNIST's files are in",
        ),
    ],
)
def test_bad_flags(fails, flags, message):
    fails(*flags, message=message)


def test_fresh_sequences_need_the_digits(fails, mnist_data_dir):
    """The prepared dataset alone does not have them."""
    fails(
        "--dataset=seqdigits/mnist",
        "--train_source=recomposed",
        data_dir=mnist_data_dir,
        message="train-images-idx3-ubyte",
        **NO_NETWORK,
    )


def test_no_network_and_no_files(fails, tmp_path):
    fails(
        "--dataset=seqdigits/mnist",
        data_dir=tmp_path / "data",
        message="connect to the internet, or use seqdigits/optdigits",
        **NO_NETWORK,
    )


def test_another_configurations_workdir(first_run, fails):
    results = (first_run / "my_run/results.json").read_text()
    fails(
        f"--workdir={first_run / 'my_run'}",
        "--epochs=1",
        "--seed=7",
        message="seed is 0 there and 7 here; choose another --workdir",
    )
    assert (first_run / "my_run/results.json").read_text() == results


def remove(path):
    path.unlink()


def truncate(path):
    os.truncate(path, 3_000)


def change_magic_number(path):
    path.write_bytes(b"\0\0\x08\x02" + gzip.decompress(path.read_bytes())[4:])


def change_content(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(content, 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove, "lacks t10k-labels-idx1-ubyte"),
        (truncate, "t10k-labels-idx1-ubyte.gz is truncated or damaged"),
        (change_magic_number, "magic number 2049 wanted, 2050 found"),
        (change_content, "has the wrong content: SHA-256"),
    ],
)
def test_damaged_mnist_files(fails, mnist_dir, tmp_path, damage, message):
    manual_dir = tmp_path / "manual"
    manual_dir.mkdir()
    for path in mnist_dir.glob("*.gz"):
        shutil.copyfile(path, manual_dir / path.name)
    damage(manual_dir / "t10k-labels-idx1-ubyte.gz")
    fails(
        "--dataset=auto",
        f"--manual_dir={manual_dir}",
        data_dir=tmp_path / "data",
        message=message,
    )
    assert not list(tmp_path.rglob("*.tfrecord*"))


@pytest.fixture
def copied_data_dir(optdigits_data_dir, tmp_path):
    return shutil.copytree(optdigits_data_dir, tmp_path / "data")


def find_shard(data_dir, split):
    return next(data_dir.rglob(f"seqdigits-{split}.tfrecord-00003-of-00008"))


def test_a_missing_shard(fails, copied_data_dir):
    find_shard(copied_data_dir, "test").unlink()
    fails(
        data_dir=copied_data_dir,
        message="-test.tfrecord-00003-of-00008 is missing: 500 examples wanted",
    )


def test_a_truncated_shard(fails, copied_data_dir):
    shard = find_shard(copied_data_dir, "train")
    os.truncate(shard, shard.stat().st_size - 10)
    fails(
        data_dir=copied_data_dir,
        message="-train.tfrecord-00003-of-00008 is damaged: 2500 examples",
    )


def test_an_empty_shard(fails, copied_data_dir):
    os.truncate(find_shard(copied_data_dir, "validation"), 0)
    fails(
        data_dir=copied_data_dir,
        message="is truncated: 250 examples wanted, 0 found",
    )


def test_another_file_format(fails, tmp_path):
    builder = seqdigits_tfds.Builder(
        data_dir=tmp_path / "data", config="optdigits"
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(max_examples_per_split=10),
        file_format="array_record",
    )
    fails(
        data_dir=tmp_path / "data",
        message="must hold TFRecords to stream from, and holds array_record",
    )
