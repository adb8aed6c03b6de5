"""`python -m trainer`, as its users start it."""

import json
import os
import re
import shutil

import pytest

from conftest import NO_NETWORK, ROOT, run_python
from trainer import dataset


def train(*flags, **kwargs):
    return run_python("-m", "trainer", *flags, **kwargs)


def read_json(path):
    return json.loads(path.read_text())


def test_the_main_job_reads_sequences(first_run):
    results = read_json(first_run / "my_run/results.json")
    assert results["dataset"] == "seqdigits/optdigits/1.0.0"
    assert results["split"] == "test"
    assert results["num_images"] == 4_000
    assert results["sequence_accuracy"] >= 0.90
    assert results["individual_accuracy"] > results["sequence_accuracy"]
    assert set(results["by_length"]) == {"1", "2", "3", "4", "5"}
    shown = f"{results['sequence_accuracy']:.4f}"
    assert shown in (first_run / "stdout").read_text()


def test_it_says_aloud_why_it_does_not_use_mnist(first_run):
    stdout = (first_run / "stdout").read_text()
    start = stdout[: stdout.index("slot_resnet")]
    assert "NOT TRAINING ON MNIST" in start
    assert f"are not in {first_run / 'data/downloads/manual'}" in start
    assert "can't be downloaded" in start
    assert "refused" in start
    assert "--manual_dir" in start


def test_it_shows_progress_in_plain_lines(first_run):
    stderr = (first_run / "stderr").read_text()
    assert "Preparing seqdigits/optdigits/1.0.0, 26,000 examples" in stderr
    assert "Loading train: 20000/20000 images" in stderr
    assert "Epoch 1/1: 157/157 steps" in stderr
    assert "\r" not in stderr
    stdout = (first_run / "stdout").read_text()
    assert "Epoch 1/1: validation loss" in stdout
    samples = stdout.split("predicted\n")[1].splitlines()[:10]
    assert all(len(line.split()) in (2, 3) for line in samples)


def test_it_says_nothing_that_a_user_cannot_act_on(first_run):
    output = "".join(
        (first_run / name).read_text() for name in ("stdout", "stderr")
    )
    for noise in ("oneDNN", "cuda", "absl::", "WARNING", "Warning"):
        assert noise not in output
    assert not re.search(r"^[WIEF]\d{4} ", output, re.MULTILINE)


def test_the_run_directory_is_complete(first_run):
    run = first_run / "my_run"
    assert {path.name for path in run.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "model.keras",
        "results.json",
    }
    config = read_json(run / "config.json")
    assert config["config"]["dataset"] == "seqdigits/optdigits/1.0.0"
    assert config["config"]["learning_rate"] > 0
    assert len(config["dataset"]["sha256"]) == 64
    assert config["versions"]["tensorflow"].startswith("2.")


def test_metrics_have_all_steps_and_epochs(tiny_data_dir, tmp_path):
    train(
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        f"--workdir={tmp_path}",
        "--epochs=3",
        "--log_every_steps=5",
        "--global_batch_size=64",
    )
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    validation = [m for m in metrics if m["split"] == "validation"]
    # 480 / 64 = 7.5: the second epoch begins within a batch.
    assert [(m["epoch"], m["step"]) for m in validation] == [
        (0, 8),
        (1, 15),
        (2, 23),
    ]
    assert [m["num_images"] for m in validation] == [40] * 3
    steps = [m["step"] for m in metrics if m["split"] == "train"]
    assert steps == [5, 8, 10, 15, 20, 23]


def test_a_finished_run_says_so(first_run):
    files = list((first_run / "my_run").iterdir())
    before = {path: path.read_bytes() for path in files}
    done = train(
        "--dataset=seqdigits/optdigits",
        "--strategy=mirrored",
        "--epochs=1",
        f"--data_dir={first_run / 'data'}",
        f"--workdir={first_run / 'my_run'}",
    )
    assert "has ended before" in done.stdout
    assert before == {path: path.read_bytes() for path in files}


def test_mnist_is_chosen_where_its_files_are_at_hand(
    mnist_dir, tmp_path, monkeypatch
):
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    for manual_dir, name in (
        (mnist_dir, "seqdigits/mnist/1.0.0"),
        (tmp_path, "seqdigits/optdigits/1.0.0"),
    ):
        choice = dataset.choose_dataset(
            "auto", str(tmp_path / "data"), str(manual_dir)
        )
        assert choice.builder.info.full_name == name
        assert bool(choice.warning) == (manual_dir == tmp_path)


def test_mnist_is_chosen_where_it_is_prepared(mnist_data_dir, monkeypatch):
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    choice = dataset.choose_dataset("auto", str(mnist_data_dir), None)
    assert choice.builder.info.full_name == "seqdigits/mnist/1.0.0"
    assert choice.warning is None


def test_the_same_seed_gives_the_same_metrics(tiny_data_dir, tmp_path):
    contents = {}
    for name, seed in (("a", 0), ("b", 0), ("other", 1)):
        train(
            "--dataset=seqdigits/tiny",
            f"--data_dir={tiny_data_dir}",
            f"--workdir={tmp_path / name}",
            "--model=seed_cnn",
            "--global_batch_size=32",
            "--max_steps=10",
            "--log_every_steps=1",
            f"--seed={seed}",
        )
        contents[name] = (tmp_path / name / "metrics.jsonl").read_text()
    assert contents["a"] == contents["b"]
    assert contents["a"] != contents["other"]


def test_the_default_run_directory_is_made_from_the_settings(
    tiny_data_dir, tmp_path
):
    train(
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        "--max_steps=1",
        cwd=tmp_path,
        PYTHONPATH=str(ROOT),
    )
    assert len(list(tmp_path.glob("runs/seqdigits-tiny-1.0.0-*/*.keras"))) == 1


@pytest.fixture
def fails(optdigits_data_dir, tmp_path):
    """Runs the trainer and checks that it ends in one clear line."""

    def check(*flags, message, data_dir=optdigits_data_dir, **environment):
        workdir = tmp_path / "workdir"
        files_before = sorted(tmp_path.rglob("*"))
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
        new = [p for p in tmp_path.rglob("*") if p not in files_before]
        assert not [p for p in new if "data" not in p.name and p.is_file()]

    return check


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--strategy=horovod"],
            "strategy must be one of one_device, mirrored, got 'horovod'",
        ),
        (
            ["--model=vit"],
            "model must be one of slot_resnet, seed_cnn, got 'vit'",
        ),
        (["--dataset=imagenet"], "got 'imagenet'"),
        (["--dataset=seqdigits/svhn"], "(optdigits, mnist)"),
        (["--dataset=seqdigits/mnist:9.0.0"], "'seqdigits/mnist:9.0.0'"),
        (
            ["--global_batch_size=0"],
            "global_batch_size must be at least 1, got 0",
        ),
        (
            ["--global_batch_size=-8"],
            "global_batch_size must be at least 1, got -8",
        ),
        (
            ["--global_batch_size=128", "--virtual_devices=3"],
            "multiple of the number of replicas, got 128 for 3; try 129",
        ),
        (["--virtual_devices=100"], "at most 16, got 100"),
        (["--virtual_devices=-1"], "at least 0, got -1"),
        (["--epochs=0"], "epochs must be at least 1, got 0"),
        (["--learning_rate=-1"], "learning_rate must be a number above 0"),
        (["--precision=int4"], "precision must be one of float32"),
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


@pytest.mark.parametrize("name", ["train-images-idx3", "t10k-labels-idx1"])
def test_damaged_mnist_files(fails, mnist_dir, tmp_path, name):
    manual_dir = tmp_path / "manual"
    manual_dir.mkdir()
    for path in mnist_dir.glob("*.gz"):
        shutil.copyfile(path, manual_dir / path.name)
    os.truncate(manual_dir / f"{name}-ubyte.gz", 3_000)
    fails(
        "--dataset=auto",
        f"--manual_dir={manual_dir}",
        data_dir=tmp_path / "data",
        message=f"{name}-ubyte.gz is truncated or damaged",
    )


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
