"""Reads and compares run directories."""

import json

import numpy as np
from tensorboard.backend.event_processing import event_accumulator

TIMINGS = ("images_per_second", "sampled_input_wait_share", "seconds")
"""The entries of metrics.jsonl that differ between two equal runs."""


def read_metrics(workdir):
    """Returns the lines of metrics.jsonl, without `TIMINGS`."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    return [{k: m[k] for k in m if k not in TIMINGS} for m in metrics]


def read_losses(workdir):
    """Returns the training losses."""
    return [m["loss"] for m in read_metrics(workdir) if m["split"] == "train"]


def count_lines(workdir, split):
    """Returns the number of lines of a split, even while the run goes on."""
    metrics = workdir / "metrics.jsonl"
    if not metrics.exists():
        return 0
    return metrics.read_text().count(f'"split": "{split}"')


def read_last_variables(workdir):
    """Returns all variables of the last checkpoint, by name."""
    path = max((workdir / "checkpoints").glob("step-*.npz"))
    return {k: v for k, v in np.load(path).items() if k != "text"}


def read_curve_steps(workdir, split):
    """Returns the steps of TensorBoard's loss curve."""
    events = event_accumulator.EventAccumulator(
        str(workdir / "tensorboard" / split), size_guidance={"tensors": 0}
    )
    return [event.step for event in events.Reload().Tensors("loss")]


def assert_equal(workdir, expected_dir):
    """Asserts that two runs have bit-identical results."""
    for split in ("train", "validation"):
        steps = [
            m["step"] for m in read_metrics(workdir) if m["split"] == split
        ]
        assert read_curve_steps(workdir, split) == steps
    assert read_metrics(workdir) == read_metrics(expected_dir)
    found = read_last_variables(workdir)
    expected = read_last_variables(expected_dir)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert (found[name] == value).all(), name
    for name in ("results.json", "export/variables/variables.index"):
        assert (workdir / name).exists()
    results = [
        json.loads((path / "results.json").read_text())
        for path in (workdir, expected_dir)
    ]
    assert results[0] == results[1]
    assert not list(workdir.rglob("partial*"))
