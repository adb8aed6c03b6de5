"""Complete training runs of a small network, in this process."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from helpers import NO_NETWORK, SHORT, train
from run_directories import assert_equal, read_losses, read_metrics
from seqdigits_tfds import InputError
from trainer.data import dataset
from trainer.run import loop


def test_metrics_record_steps_and_epochs(train_here, tmp_path, capsys):
    train_here(
        tmp_path,
        ensemble_size=2,
        epochs=3,
        log_every_steps=5,
        global_batch_size=64,
    )
    assert "2 x small_network:small, " in capsys.readouterr().out
    metrics = read_metrics(tmp_path)
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


def test_the_best_checkpoint_is_tested_and_saved(
    train_here, tmp_path, monkeypatch
):
    compute = loop.compute_metrics
    accuracies = iter([0.5, 0.9, 0.2, 0.8, 0.1])

    def compute_fake_metrics(logits, labels, glyph_ids):
        metrics = compute(logits, labels, glyph_ids)
        interval = {"sequence_accuracy": (0.85, 0.95)}
        return dataclasses.replace(
            metrics,
            sequence_accuracy=next(accuracies),
            intervals=metrics.intervals | interval,
        )

    monkeypatch.setattr(loop, "compute_metrics", compute_fake_metrics)
    results = train_here(tmp_path, **{**SHORT, "epochs": 4})
    # Step 10: later ones are below the interval.
    assert results["step"] == 10
    (best,) = (tmp_path / "checkpoints").glob("best-00000010.*.npz")
    model = keras.models.load_model(tmp_path / "model.keras")
    with np.load(best) as arrays:
        for number, value in enumerate(model.get_weights()):
            (name,) = (n for n in arrays.files if n.startswith(f"{number}:"))
            assert (arrays[name] == value).all()


@pytest.mark.long
def test_scattered_digits_are_read(tmp_path):
    """The model is chosen by the dataset, and reads unseen lengths as well."""
    done = train(
        "--dataset=seqdigits/optdigits_scattered",
        f"--data_dir={tmp_path}",
        f"--workdir={tmp_path / 'run'}",
        "--max_steps=250",
    )
    assert "sequence_reader, 387,404 parameters, chosen for scattered" in (
        done.stdout
    )
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["sequence_accuracy"] > 0.8
    assert results["other_splits"]["test_longer"]["sequence_accuracy"] > 0.1


@pytest.mark.parametrize("option", ["disk", "fresh", "mixed_float16"])
def test_training_works_with_each_option(train_here, tmp_path, option):
    train_here(
        tmp_path,
        **{
            "disk": {"input": "disk"},
            "fresh": {"train_sequences": "fresh"},
            "mixed_float16": {"precision": "mixed_float16"},
        }[option],
        epochs=3,
        global_batch_size=48,
        log_every_steps=10,
        profile="3:5",
    )
    losses = read_losses(tmp_path)
    assert len(losses) == 3
    assert losses[-1] < 0.95 * losses[0]
    assert list(tmp_path.glob("tensorboard/plugins/profile/*/*.xplane.pb"))


def test_the_same_seed_gives_the_same_weights(short_run, train_here, tmp_path):
    train_here(tmp_path / "same", **SHORT)
    assert_equal(tmp_path / "same", short_run)
    train_here(tmp_path / "other", **SHORT, seed=1)
    assert read_losses(tmp_path / "other") != read_losses(short_run)
    same, other = (
        np.concatenate([w.ravel() for w in model.get_weights()])
        for model in (
            keras.models.load_model(tmp_path / name / "model.keras")
            for name in ("same", "other")
        )
    )
    assert (same != other).mean() > 0.9


def test_a_finished_run_is_left_unchanged(short_run, train_here, capsys):
    files = [path for path in short_run.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    results = train_here(short_run, **SHORT)
    assert "is already finished" in capsys.readouterr().out
    assert results == json.loads((short_run / "results.json").read_text())
    assert before == {path: path.read_bytes() for path in files}


def test_the_default_run_directory_is_named_after_the_settings(
    train_here, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for seed, num_runs in ((0, 1), (1, 2), (0, 2)):
        train_here(None, max_steps=1, global_batch_size=48, seed=seed)
        pattern = "runs/seqdigits-tiny-2.0.0-small_network-small-*/export"
        found = list(tmp_path.glob(pattern))
        assert len(found) == num_runs


def test_mnist_is_chosen_if_its_files_are_found(
    mnist_dir, tmp_path, monkeypatch
):
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    for manual_dir, name in (
        (mnist_dir, "seqdigits/mnist/2.0.0"),
        (tmp_path, "seqdigits/optdigits/2.0.0"),
    ):
        choice = dataset.choose_dataset(
            "auto", str(tmp_path / "data"), str(manual_dir)
        )
        assert choice.builder.info.full_name == name
        assert bool(choice.warning) == (manual_dir == tmp_path)


def test_mnist_is_chosen_if_it_is_prepared(mnist_data_dir, monkeypatch):
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    choice = dataset.choose_dataset("auto", str(mnist_data_dir), None)
    assert choice.builder.info.full_name == "seqdigits/mnist/2.0.0"
    assert choice.warning is None


def test_a_training_that_diverges_stops(train_here, tmp_path):
    with pytest.raises(InputError, match=r"diverged: after step 5, .* is nan"):
        train_here(tmp_path, **SHORT, learning_rate=1e38)
