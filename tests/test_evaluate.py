"""`python -m trainer.evaluate`, run in this process, and `predict_split`."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from absl.testing import flagsaver

from helpers import PROGRAMS, ROOT, TINY, build_custom, run_python
from seqdigits_tfds import InputError
from trainer import evaluate
from trainer.data import open_split
from trainer.data.splits import MemorySplit
from trainer.distribution.strategy import make_strategy
from trainer.model import models
from trainer.model.inference import predict_split
from trainer.model.metrics import compute_metrics
from trainer.model.steps import make_predict_step


@pytest.fixture
def run(capsys):
    """Runs the program; returns its output."""

    def call(**flags):
        evaluate.flags.FLAGS.mark_as_parsed()
        with flagsaver.flagsaver(**flags):
            evaluate.main(["evaluate"])
        return capsys.readouterr().out

    return call


@pytest.fixture
def workdir(short_run, tmp_path):
    """A copy of a finished run."""
    return shutil.copytree(short_run, tmp_path / "run")


def test_metrics_equal_those_of_the_training_run(workdir, run):
    metrics = json.loads(run(workdir=str(workdir), json=True))
    results = json.loads((workdir / "results.json").read_text())
    loss, expected = metrics.pop("loss"), results.pop("loss")
    assert loss == pytest.approx(expected, rel=1e-5)
    for name in ("step", "other_splits", "layout"):
        del results[name]
    assert metrics == results


def test_files_that_are_not_needed_may_be_gone(workdir, run):
    path = workdir / "config.json"
    config = json.loads(path.read_text())
    config["config"]["manual_dir"] = "/nowhere"
    path.write_text(json.dumps(config))
    assert json.loads(run(workdir=str(workdir), json=True))["loss"] > 0


def test_other_datasets_and_splits(workdir, run, optdigits_data_dir):
    output = run(
        workdir=str(workdir),
        dataset="seqdigits/optdigits",
        data_dir=str(optdigits_data_dir),
        split="validation",
    )
    assert "validation of seqdigits/optdigits/2.0.0, 2,000 images" in output
    (path,) = (workdir / "evaluations").iterdir()
    metrics = json.loads(path.read_text())
    low, high = metrics["intervals"]["sequence_accuracy"]
    assert low < metrics["sequence_accuracy"] < high
    assert f"(95 %: {low:.4f} to {high:.4f})" in output
    page = (workdir / "report" / "index.html").read_text()
    row = page.split("validation of seqdigits/optdigits/2.0.0")[1]
    row = row.split("</tr>")[0]
    for share in (metrics["sequence_accuracy"], high):
        assert f"{100 * share:.2f}\N{NO-BREAK SPACE}%" in row


def test_splits_beyond_the_usual_ones(train_here, tmp_path):
    """The run evaluates them at its end, as the program does later."""
    settings = TINY | {"name": "scattered", "num_ood": 30}
    build_custom(tmp_path, layout="scattered", max_train_digits=3, **settings)
    results = train_here(
        tmp_path / "run",
        dataset="seqdigits/scattered",
        data_dir=str(tmp_path),
        max_steps=2,
    )
    names = {"test_longer", "test_unseen", "test_corrupted"}
    assert set(results["other_splits"]) == names
    assert set(results["other_splits"]["test_longer"]["by_length"]) == {
        *("4", "5")
    }
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    for name in names:
        assert f"{name} of seqdigits/scattered/2.0.0" in page


def test_other_shapes_are_rejected(short_run, run, tmp_path):
    build_custom(tmp_path, **{**TINY, "name": "three"}, max_digits=3)
    with pytest.raises(
        InputError, match=r"must have the model's shape.*num_positions=3"
    ):
        run(
            workdir=str(short_run),
            dataset="seqdigits/three",
            data_dir=str(tmp_path),
        )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"split": "trial"}, "split must be one of"),
        ({"dataset": "seqdigits/none"}, "neither one of seqdigits' own"),
        ({"workdir": "/nowhere"}, "must be the directory of a run"),
        ({"manual_dir": "/nowhere"}, "which is not a directory"),
    ],
)
def test_bad_input_is_reported_in_one_line(short_run, run, flags, message):
    with pytest.raises(InputError, match=message) as caught:
        run(**{"workdir": str(short_run), **flags})
    assert "\n" not in str(caught.value)


def evaluate_at(strategy, path, split, sizes):
    with strategy.scope():
        model = models.load(path)
    predict_step = make_predict_step(strategy, model)
    return model, [
        predict_split(strategy, predict_step, split, "test", size)
        for size in sizes
    ]


def test_each_image_counts_once_at_any_batch_size_and_replica_count(
    short_run, tiny_data_dir
):
    builder = tfds.builder("seqdigits/tiny", data_dir=tiny_data_dir)
    whole = open_split(builder, "test")
    # A prime number, so that only the batch size 1 divides it.
    split = MemorySplit(whole.read(np.arange(79)))
    found = []
    for strategy in (
        tf.distribute.OneDeviceStrategy("/CPU:0"),
        make_strategy("mirrored", 2),
    ):
        model, predictions = evaluate_at(
            strategy, short_run / "model.keras", split, (1, 7, 64, 10_000)
        )
        found += predictions
    expected = model.predict(split.examples["image"].numpy(), verbose=0)
    metrics = []
    for prediction in found:
        np.testing.assert_array_equal(
            prediction.labels, split.examples["label"]
        )
        np.testing.assert_allclose(prediction.logits, expected, atol=1e-3)
        metrics.append(
            compute_metrics(prediction.logits, prediction.labels).as_dict()
        )
    losses = [each.pop("loss") for each in metrics]
    assert losses == pytest.approx([losses[0]] * len(losses), rel=1e-5)
    assert all(each == metrics[0] for each in metrics)
    assert metrics[0]["num_images"] == 79


def test_an_example_that_is_missed_or_repeated_is_an_error(tiny_data_dir):
    builder = tfds.builder("seqdigits/tiny", data_dir=tiny_data_dir)
    strategy = tf.distribute.OneDeviceStrategy("/CPU:0")

    def step(element):
        rows, examples = element
        labels = examples["label"]
        return rows * 0, labels, tf.zeros((*labels.shape, 11))

    with pytest.raises(RuntimeError, match="not evaluated exactly once"):
        predict_split(strategy, step, open_split(builder, "test"), "test")


@pytest.mark.long
def test_three_replicas_evaluate_like_one(first_run):
    metrics = []
    for num_replicas in ("1", "3"):
        done = run_python(
            PROGRAMS / "evaluate_at_sizes.py",
            first_run / "my_run" / "model.keras",
            "seqdigits/optdigits",
            "120",
            num_replicas,
            *("1", "7", "128", "10000"),
            PYTHONPATH=str(ROOT),
            TFDS_DATA_DIR=str(first_run / "data"),
        )
        metrics += json.loads(done.stdout.splitlines()[-1])
    assert len(metrics) == 8
    assert metrics[0]["num_images"] == 120
    assert metrics[0]["sequence_accuracy"] > 0.9
    losses = [each.pop("loss") for each in metrics]
    assert losses == pytest.approx([losses[0]] * 8, rel=1e-5)
    assert all(each == metrics[0] for each in metrics)


@pytest.mark.long
def test_the_programs_for_finished_runs_start(first_run, tmp_path):
    shutil.copytree(first_run / "my_run", tmp_path / "run")
    (tmp_path / "run" / "report" / "index.html").unlink()
    workdir = f"--workdir={tmp_path / 'run'}"
    done = run_python("-m", "trainer.evaluate", workdir, "--json")
    results = json.loads((first_run / "my_run" / "results.json").read_text())
    found = json.loads(done.stdout)
    assert found["sequence_accuracy"] == results["sequence_accuracy"]
    done = run_python("-m", "trainer.report", workdir)
    assert done.stderr == ""
    assert done.stdout == f"See {tmp_path}/run/report/index.html.\n"
    assert (tmp_path / "run" / "report" / "index.html").exists()
    done = run_python("-m", "trainer.report", "--workdir=/no", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: workdir must be the directory")
    assert done.stderr.count("\n") == 1
