"""Kills a run at random moments, resumes it, and compares the result.

As a program: `python kill_and_resume.py STRATEGY NUM_KILLS SECONDS FOLDER
FLAGS...`. Each process is killed within SECONDS after training has started or,
with probability 1/4, within SECONDS after the process was started. FOLDER must
be empty; both runs are written to it, the killed one and an undisturbed one.
FLAGS are the trainer's. Prints a summary as JSON.
"""

import json
import pathlib
import random
import subprocess
import sys
import time

import trainers
from run_directories import assert_equal, read_metrics


def kill_once(strategy, rng, seconds, folder, flags, program):
    """Starts the run, and kills one of its processes at a random moment.

    Returns:
      The step that the run had reached, and whether it was still starting.
    """
    metrics = folder / "killed" / "metrics.jsonl"
    before = metrics.stat().st_mtime_ns if metrics.exists() else 0
    running = trainers.start_all(strategy, folder, *flags, program=program)
    while_starting = rng.random() < 0.25
    if not while_starting:
        # The file is rewritten when training starts, and then grows.
        running[0].wait_until(
            lambda: (
                metrics.exists()
                and metrics.stat().st_mtime_ns != before
                and metrics.stat().st_size
            )
        )
    time.sleep(rng.uniform(0, seconds))
    victim = rng.choice(running)
    assert victim.process.poll() is None, "the run is too short"
    victim.process.kill()
    for each in running:
        try:
            code = each.wait(600 if not while_starting else 30)
        except subprocess.TimeoutExpired:
            # It waits for a worker that was killed before it started.
            assert while_starting, each.output
            each.process.kill()
            code = each.wait()
        if each is victim:
            assert code == -9
        elif not while_starting:
            # The other workers end with an error message.
            assert code == 1, each.output
            assert each.output.splitlines()[-1].startswith("error: worker")
            assert "Traceback" not in each.output
        assert not (folder / "killed" / "results.json").exists()
    text = metrics.read_text() if metrics.exists() else ""
    lines = [line for line in text.split("\n") if line.endswith("}")]
    step = json.loads(lines[-1])["step"] if lines else 0
    return step, while_starting


def run_with_kills(
    strategy,
    num_kills,
    seconds,
    folder,
    flags,
    expected_dir,
    program=trainers.DEFAULT,
):
    """Asserts that a run with kills has the same result as `expected_dir`.

    Returns:
      A summary of the run, which can be converted to JSON.
    """
    killed_dir = folder / "killed"
    flags = [*flags, f"--workdir={killed_dir}"]
    rng = random.Random(0)
    kills = [
        kill_once(strategy, rng, seconds, folder, flags, program)
        for _ in range(num_kills)
    ]
    trainers.run_all(strategy, folder, *flags, program=program)
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
