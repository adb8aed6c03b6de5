"""Kills a run at random moments, and compares what comes of it.

As a program: `python kill_and_resume.py STRATEGY NUM_KILLS SECONDS FOLDER
FLAGS...`, where a start is killed within SECONDS of its training, FOLDER, which
must be empty, gets both runs, the killed and the undisturbed one, and FLAGS are
the trainer's; prints what happened as JSON.
"""

import json
import pathlib
import random
import subprocess
import sys
import time

import numpy as np
from tensorboard.backend.event_processing import event_accumulator

import trainers

TIMINGS = ("images_per_second", "input_wait_share", "seconds")


def read_metrics(workdir):
    """Returns the lines of metrics.jsonl, without what no two runs share."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    return [{k: m[k] for k in m if k not in TIMINGS} for m in metrics]


def read_last_variables(workdir):
    """Returns all variables of the last checkpoint, by name."""
    path = max((workdir / "checkpoints").glob("step-*.npz"))
    return {k: v for k, v in np.load(path).items() if k != "text"}


def read_curve_steps(workdir, split):
    """Returns the steps of TensorBoard's curve of the loss."""
    events = event_accumulator.EventAccumulator(
        str(workdir / "tensorboard" / split), size_guidance={"tensors": 0}
    )
    return [event.step for event in events.Reload().Tensors("loss")]


def assert_equal(workdir, expected_dir):
    """Asserts that two runs ended in the same way, to the bit."""
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


def kill_once(strategy, rng, seconds, folder, flags):
    """Starts the run, and kills one of its processes at a random moment.

    Returns:
      The step that the run had reached, and whether it was starting.
    """
    metrics = folder / "killed" / "metrics.jsonl"
    before = metrics.stat().st_mtime_ns if metrics.exists() else 0
    running = trainers.start_all(strategy, folder, *flags)
    while_starting = rng.random() < 0.25
    if not while_starting:
        # It is rewritten when training begins.
        deadline = time.monotonic() + 120
        while not metrics.exists() or metrics.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline, running[0].output
            assert running[0].process.poll() is None, running[0].output
            time.sleep(0.01)
    time.sleep(rng.uniform(0, seconds))
    victim = rng.choice(running)
    assert victim.process.poll() is None, "the run is too short"
    victim.process.kill()
    for each in running:
        try:
            code = each.wait(120 if not while_starting else 30)
        except subprocess.TimeoutExpired:
            # It waits for a worker that has never been there.
            assert while_starting, each.output
            each.process.kill()
            code = each.wait()
        if each is victim:
            assert code == -9
        elif not while_starting:
            # The others end by themselves, and say why.
            assert code == 1, each.output
            assert each.output.splitlines()[-1].startswith("error: worker")
            assert "Traceback" not in each.output
        assert not (folder / "killed" / "results.json").exists()
    text = metrics.read_text() if metrics.exists() else ""
    lines = [line for line in text.split("\n") if line.endswith("}")]
    step = json.loads(lines[-1])["step"] if lines else 0
    return step, while_starting


def run_with_kills(strategy, num_kills, seconds, folder, flags, expected_dir):
    """Runs with kills; asserts that it ends as the run in `expected_dir`.

    Returns:
      A summary.
    """
    killed_dir = folder / "killed"
    flags = [*flags, f"--workdir={killed_dir}"]
    rng = random.Random(0)
    kills = [
        kill_once(strategy, rng, seconds, folder, flags)
        for _ in range(num_kills)
    ]
    trainers.run_all(strategy, folder, *flags)
    assert_equal(killed_dir, expected_dir)
    return {
        "strategy": strategy,
        "steps_when_killed": [step for step, _ in kills],
        "killed_while_starting": sum(starting for _, starting in kills),
        "steps": read_metrics(expected_dir)[-1]["step"],
        "results": json.loads((killed_dir / "results.json").read_text()),
    }


def main(strategy, num_kills, seconds, folder, *flags):
    folder = pathlib.Path(folder)
    flags = [*flags, "--checkpoint_every_steps=7", "--log_every_steps=5"]
    expected_dir = folder / "expected"
    trainers.run_all(strategy, folder, *flags, f"--workdir={expected_dir}")
    summary = run_with_kills(
        strategy, int(num_kills), float(seconds), folder, flags, expected_dir
    )
    print(json.dumps(summary))


if __name__ == "__main__":
    main(*sys.argv[1:])
