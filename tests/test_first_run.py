"""`python -m trainer`, without a prepared dataset."""

import json
import re

import pytest

from helpers import PROGRAMS, run_python


def read_json(path):
    return json.loads(path.read_text())


def test_the_trained_model_reads_most_sequences(first_run):
    results = read_json(first_run / "my_run/results.json")
    assert results["dataset"] == "seqdigits/optdigits/2.0.0"
    assert results["split"] == "test"
    assert results["num_images"] == 4_000
    assert results["sequence_accuracy"] >= 0.90
    assert results["individual_accuracy"] > results["sequence_accuracy"]
    assert set(results["by_length"]) == {"1", "2", "3", "4", "5"}
    shown = f"{results['sequence_accuracy']:.4f}"
    assert shown in (first_run / "stdout").read_text()


def test_a_warning_explains_why_mnist_is_not_used(first_run):
    stdout = (first_run / "stdout").read_text()
    start = stdout[: stdout.index("slot_resnet")]
    assert "NOT TRAINING ON MNIST" in start
    assert f"are not in {first_run / 'data/downloads/manual'}" in start
    assert "can't be downloaded" in start
    assert "refused" in start
    assert "--manual_dir" in start


def test_progress_is_shown_in_plain_lines(first_run):
    stderr = (first_run / "stderr").read_text()
    assert "Preparing seqdigits/optdigits/2.0.0, 26,000 examples" in stderr
    assert "Loading train: 20000/20000 examples" in stderr
    assert "Epoch 1/1: 157/157 steps" in stderr
    assert "\r" not in stderr
    stdout = (first_run / "stdout").read_text()
    assert "Epoch 1/1: validation loss" in stdout
    samples = stdout.split("predicted\n")[1].splitlines()[:10]
    assert all(len(line.split()) in (2, 3) for line in samples)


def test_messages_of_the_libraries_are_hidden(first_run):
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
        "README.md",
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
    assert config["config"]["dataset"] == "seqdigits/optdigits/2.0.0"
    assert config["config"]["learning_rate"] > 0
    assert len(config["dataset"]["digest"]) == 64
    assert len(config["dataset"]["sha256"]) == 64
    assert config["segments"] == [
        {
            "step": 0,
            "strategy": "mirrored",
            "num_replicas": 1,
            "num_workers": 1,
            "num_shards": 8,
            "input": "memory",
        }
    ]
    assert config["versions"]["tensorflow"].startswith("2.")


def test_the_models_work_without_this_project(first_run, tmp_path):
    run = first_run / "my_run"
    done = run_python(
        "-I",  # Keeps this checkout out of the import path.
        PROGRAMS / "use_models.py",
        run,
        first_run / "data/seqdigits/optdigits/2.0.0",
        cwd=tmp_path,
    )
    accuracy = read_json(run / "results.json")["sequence_accuracy"]
    assert json.loads(done.stdout.splitlines()[-1]) == pytest.approx(
        [accuracy, accuracy], abs=1e-9
    )
