"""`python -m trainer`, as its users start it."""

import json
import re

import keras
import numpy as np

from conftest import NO_NETWORK, ROOT, run_python, train
from kill_and_resume import read_metrics
from trainer import dataset


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
        ".lock",
        "checkpoints",
        "config.json",
        "export",
        "metrics.jsonl",
        "model.keras",
        "predictions.npz",
        "report",
        "results.json",
        "tensorboard",
    }
    config = read_json(run / "config.json")
    assert config["config"]["dataset"] == "seqdigits/optdigits/1.0.0"
    assert config["config"]["learning_rate"] > 0
    assert len(config["dataset"]["sha256"]) == 64
    assert config["versions"]["tensorflow"].startswith("2.")


def test_the_models_work_without_this_project(first_run, tmp_path):
    run = first_run / "my_run"
    done = run_python(
        "-I",  # Without a path to this checkout.
        ROOT / "tests" / "use_models.py",
        run,
        first_run / "data/seqdigits/optdigits/1.0.0",
        cwd=tmp_path,
    )
    accuracy = read_json(run / "results.json")["sequence_accuracy"]
    assert json.loads(done.stdout.splitlines()[-1]) == [accuracy, accuracy]


def test_metrics_have_all_steps_and_epochs(tiny_data_dir, tmp_path):
    done = train(
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        f"--workdir={tmp_path}",
        "--ensemble_size=2",
        "--epochs=3",
        "--log_every_steps=5",
        "--global_batch_size=64",
    )
    assert "2 x slot_resnet, 1,762,582 parameters" in done.stdout
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


def test_compiled_profiled_and_from_records(tiny_data_dir, tmp_path):
    train(
        "--dataset=seqdigits/tiny",
        f"--data_dir={tiny_data_dir}",
        f"--workdir={tmp_path}",
        "--strategy=one_device",
        "--global_batch_size=48",
        "--max_steps=12",
        "--jit",
        "--input=records",
        "--profile=3:5",
    )
    losses = [
        m["loss"] for m in read_metrics(tmp_path) if m["split"] == "train"
    ]
    # Two epochs of ten steps each.
    assert len(losses) == 2
    assert losses[1] < 0.5 * losses[0]
    assert list(tmp_path.glob("tensorboard/plugins/profile/*/*.xplane.pb"))


def test_a_finished_run_says_so(first_run):
    files = [p for p in (first_run / "my_run").rglob("*") if p.is_file()]
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


def test_the_same_seed_gives_the_same_weights(tiny_data_dir, tmp_path):
    metrics, weights = {}, {}
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
        metrics[name] = read_metrics(tmp_path / name)
        model = keras.models.load_model(tmp_path / name / "model.keras")
        weights[name] = np.concatenate(
            [array.ravel() for array in model.get_weights()]
        )
    assert metrics["a"] == metrics["b"]
    assert metrics["a"] != metrics["other"]
    assert (weights["a"] == weights["b"]).all()
    assert (weights["a"] != weights["other"]).any()


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
