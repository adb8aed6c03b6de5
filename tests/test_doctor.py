"""What `trainer.doctor` says about trainings that would fail, and one that
works."""

import os
import shutil
import socket
import subprocess
import sys
import time

import keras
import pytest

import trainers
from helpers import NO_NETWORK, ROOT, SHORT
from trainer.config import TrainConfig
from trainer.doctor import checks, versions
from trainer.run.directory import open_run


@pytest.fixture
def examine(tiny_data_dir, tmp_path, monkeypatch, capsys):
    """Checks a training; returns the exit code and the lines by their name."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)

    def run(**values):
        defaults = TrainConfig(
            dataset="seqdigits/tiny",
            data_dir=str(tiny_data_dir),
            workdir=str(tmp_path / "run"),
            strategy="one_device",
        )
        settings = {**vars(defaults), **values}
        capsys.readouterr()
        works = checks.Checkup(settings).run()
        lines = capsys.readouterr().out.splitlines()
        return works, {line.split()[1]: line for line in lines}

    return run


def find_failures(lines):
    return {
        name: line for name, line in lines.items() if not line.startswith("ok ")
    }


def test_a_training_that_works(examine, tmp_path):
    works, lines = examine()
    assert works
    assert not find_failures(lines)
    assert list(lines) == [
        *("settings", "devices", "replicas", "dataset"),
        *("disk", "memory", "model", "workdir"),
    ]
    assert "seqdigits/tiny/2.0.0" in lines["dataset"]
    assert "slot_resnet, 222,539 parameters" in lines["model"]
    assert list(tmp_path.iterdir()) == []


def test_replicas_and_workers_are_tried(examine):
    workers = ",".join(f"localhost:{port}" for port in trainers.find_ports(2))
    works, lines = examine(
        strategy="multi_worker", workers=workers, worker_index=1
    )
    assert works
    assert "2 from --workers" in lines["workers"]
    assert "0 of 1 are running" in lines["workers"]
    assert "workdir" not in lines  # Only the chief needs it.
    works, lines = examine(strategy="mirrored")
    assert works
    assert "2 on this machine" in lines["replicas"]


BROKEN = {
    "an invalid setting": (
        {"epochs": 0},
        "settings",
        "epochs must be at least 1",
    ),
    "a batch that can't be divided": (
        {"strategy": "mirrored", "global_batch_size": 7},
        "replicas",
        "global_batch_size must be a multiple of the number of replicas",
    ),
    "no addresses of workers": (
        {"strategy": "multi_worker"},
        "workers",
        "needs the workers' addresses",
    ),
    "an unknown host": (
        {
            "strategy": "multi_worker",
            "workers": "localhost:2222,no-such-host.invalid:2222",
            "worker_index": 0,
        },
        "workers",
        "no-such-host.invalid:2222 can't be reached",
    ),
    "an unknown dataset": (
        {"dataset": "seqdigits/none"},
        "dataset",
        "is neither one of seqdigits' own configs",
    ),
    "a batch larger than an epoch": (
        {"global_batch_size": 481},
        "model",
        "global_batch_size must be at most the number of training examples",
    ),
    "a model that can't be imported": (
        {"model": "no_such_module:make"},
        "model",
        "no_such_module can't be imported",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_settings_are_named(examine, name):
    values, failing, message = BROKEN[name]
    works, lines = examine(**values)
    assert not works
    assert list(find_failures(lines)) == [failing]
    assert lines[failing].startswith("NO ")
    assert message in lines[failing]


def test_a_model_for_another_precision_is_named(examine, tmp_path, monkeypatch):
    (tmp_path / "narrow.py").write_text("""
from keras import layers
from trainer.model import networks, optimizer

def apply(images, shape):
    x = layers.Dense(shape.num_positions * 11)(layers.Flatten()(images))
    return layers.Reshape((shape.num_positions, 11))(x)

def make():
    recipe = optimizer.Recipe(1, optimizer.ADAM, 1e-3, None)
    return networks.Network(apply, recipe)
""")
    monkeypatch.syspath_prepend(tmp_path)
    assert examine(model="narrow:make")[0]
    _, lines = examine(model="narrow:make", precision="mixed_bfloat16")
    assert "got ('bfloat16'" in find_failures(lines)["model"]
    keras.config.set_dtype_policy("float32")


def test_missing_and_old_packages_are_named():
    found = versions.find_unsupported(
        ["numpy>=99", "keras>=3.8", "no-such-package", "torch; extra == 'x'"]
    )
    assert len(found) == 2
    assert found[0].startswith("numpy>=99 is needed, found ")
    assert found[1].endswith("found none; run pip install 'no-such-package'")
    assert versions.find_unsupported() == []


def test_a_port_in_use_is_named(examine):
    (port,) = trainers.find_ports(1)
    with socket.socket() as taken:
        taken.bind(("", port))
        taken.listen()
        _, lines = examine(
            strategy="multi_worker",
            workers=f"localhost:{port}",
            worker_index=0,
        )
    assert f"can't listen on port {port}" in find_failures(lines)["workers"]


def test_a_damaged_dataset_is_named(examine, tiny_data_dir, tmp_path):
    shutil.copytree(tiny_data_dir, tmp_path / "data")
    shard = next((tmp_path / "data").rglob("*train.tfrecord*"))
    os.truncate(shard, shard.stat().st_size - 10)
    _, lines = examine(data_dir=str(tmp_path / "data"))
    assert f"{shard.name} is damaged" in find_failures(lines)["dataset"]


def test_missing_mnist_files_are_named(examine, tmp_path):
    data_dir = str(tmp_path / "data")
    _, lines = examine(dataset="seqdigits/mnist", data_dir=data_dir)
    assert list(find_failures(lines)) == ["dataset"]
    assert "train-images-idx3-ubyte" in lines["dataset"]
    works, lines = examine(dataset="auto", data_dir=data_dir)
    assert works
    assert "seqdigits/optdigits/2.0.0 would be prepared" in lines["dataset"]
    assert "MNIST's files are not here" in lines["dataset"]
    assert not (tmp_path / "data").exists()


def test_a_workdir_that_can_not_be_written_is_named(examine, tmp_path):
    (tmp_path / "file").touch()
    _, lines = examine(workdir=str(tmp_path / "file" / "run"))
    failure = find_failures(lines)["workdir"]
    assert "workdir must be a writable directory" in failure


def test_a_run_with_other_settings_is_named(examine, train_here, tmp_path):
    train_here(tmp_path / "run", **SHORT)
    _, lines = examine(model="small_network:small", **SHORT)
    assert "has a finished run" in lines["workdir"]
    _, lines = examine(model="small_network:small", **SHORT, seed=1)
    failure = find_failures(lines)["workdir"]
    assert "belongs to a run with another configuration" in failure


def test_a_run_in_use_is_named(examine, tmp_path):
    (tmp_path / "run").mkdir()
    with open_run(tmp_path / "run", is_chief=True) as run:
        run.lock()
        _, lines = examine()
    assert "is in use by another trainer" in find_failures(lines)["workdir"]


def test_too_little_disk_space_and_memory_are_named(
    examine, tmp_path, monkeypatch
):
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(checks, "_RUN_BYTES", 2 * free)
    _, lines = examine()
    assert list(find_failures(lines)) == ["disk"]
    assert "free some, or choose another --workdir" in lines["disk"]


def test_too_little_memory_is_named(examine, monkeypatch):
    # So that the small dataset's 2 MB are too much.
    monkeypatch.setattr(checks, "_MEMORY_RESERVE", 2**60)
    _, lines = examine()
    assert list(find_failures(lines)) == ["memory"]
    assert "use --input=disk" in lines["memory"]
    assert examine(input="disk")[0]


def test_the_program_is_quick(tiny_data_dir, tmp_path):
    start = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "trainer.doctor"),
            "--dataset=seqdigits/tiny",
            f"--data_dir={tiny_data_dir}",
            f"--workdir={tmp_path / 'run'}",
            "--virtual_devices=2",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 on this machine" in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok   packages      Python ")
    assert all(line.startswith("ok   ") for line in lines)
    # 15 seconds on a machine that is not busy with other tests.
    assert time.monotonic() - start < 60
