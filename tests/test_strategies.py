"""The same figures from any number of replicas, in real processes."""

import json

import pytest

from conftest import ROOT, run_python, train

REPLICAS = {
    "one_device": ["--strategy=one_device"],
    "mirrored_2": ["--strategy=mirrored", "--virtual_devices=2"],
    "mirrored_3": ["--strategy=mirrored", "--virtual_devices=3"],
}


def read_metrics(workdir, split):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [m for m in map(json.loads, lines) if m["split"] == split]


@pytest.fixture(scope="module")
def workdirs(tiny_data_dir, tmp_path_factory):
    """Run directories of the same short run under each strategy."""
    folder = tmp_path_factory.mktemp("strategies")
    for name, flags in REPLICAS.items():
        train(
            "--dataset=seqdigits/tiny",
            f"--data_dir={tiny_data_dir}",
            f"--workdir={folder / name}",
            "--global_batch_size=48",
            "--max_steps=12",
            "--log_every_steps=1",
            # Rounding differs; large first steps would blow it up.
            "--learning_rate=1e-4",
            *flags,
        )
    return {name: folder / name for name in REPLICAS}


def test_all_strategies_train_alike(workdirs):
    losses = {
        name: [line["loss"] for line in read_metrics(workdir, "train")]
        for name, workdir in workdirs.items()
    }
    alone = losses["one_device"]
    assert len(alone) == 12
    assert alone[-1] < 0.9 * alone[0]
    for others in losses.values():
        assert others == pytest.approx(alone, rel=1e-4)


def test_evaluation_counts_each_image_once(first_run, optdigits_data_dir):
    """With equal figures for all batch sizes and numbers of replicas."""
    figures = []
    for num_replicas in ("1", "2", "3"):
        done = run_python(
            ROOT / "tests" / "evaluate_at_sizes.py",
            first_run / "my_run" / "model.keras",
            "seqdigits/optdigits",
            "300",
            num_replicas,
            *("1", "7", "128", "10000"),
            PYTHONPATH=str(ROOT),
            TFDS_DATA_DIR=str(optdigits_data_dir),
        )
        figures += json.loads(done.stdout.splitlines()[-1])
    assert len(figures) == 12
    assert figures[0]["num_images"] == 300
    assert figures[0]["sequence_accuracy"] > 0.9
    losses = [evaluation.pop("loss") for evaluation in figures]
    assert losses == pytest.approx([losses[0]] * 12, rel=1e-5)
    assert all(evaluation == figures[0] for evaluation in figures)
