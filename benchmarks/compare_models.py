"""Compares the time to accuracy of all networks.

  python -m benchmarks.compare_models --dataset=seqdigits/mnist

Trains one model after the other, on the same data and machine, each with its
own recipe. Prints a table, and writes it as JSON, with a picture of the error
rate over time.
"""

import json
import pathlib
import subprocess
import sys
from collections.abc import Sequence

from absl import app, flags

from seqdigits_tfds.terminal import quiet_tensorflow

with quiet_tensorflow():
    from benchmarks import time_to_accuracy
    from trainer.model.networks import NETWORKS

_DATASET = flags.DEFINE_string(
    "dataset", "seqdigits/optdigits", "Dataset to train on."
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS data directory.")
_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Directory with MNIST's four files, plain or .gz."
)
_OUT = flags.DEFINE_string(
    "out", "runs/comparison", "Directory for the runs and their comparison."
)
_VALIDATE_EVERY_STEPS = flags.DEFINE_integer(
    "validate_every_steps", 100, "Number of steps between validations."
)
_EPOCHS = flags.DEFINE_integer(
    "epochs", None, "Number of epochs (default: each model's)."
)

_BASELINE = "seed_cnn"
_MODELS = (_BASELINE, *(name for name in NETWORKS if name != _BASELINE))


def main(argv: Sequence[str]) -> None:
    """Trains all models, and compares them."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    out = pathlib.Path(_OUT.value)
    for model in _MODELS:
        _train(model, out / model)
    comparison = time_to_accuracy.compare_runs(
        {model: out / model for model in _MODELS}
    )
    (out / "comparison.json").write_text(json.dumps(comparison, indent=2))
    time_to_accuracy.draw_curves(comparison, out / "comparison.svg")
    print(time_to_accuracy.format_table(comparison))
    print(f"\nSee also {out}/comparison.json and comparison.svg.")


def _train(model: str, workdir: pathlib.Path) -> None:
    """Runs the trainer, which resumes or skips an existing run."""
    settings = {
        "dataset": _DATASET.value,
        "data_dir": _DATA_DIR.value,
        "manual_dir": _MANUAL_DIR.value,
        "workdir": workdir,
        "model": model,
        "epochs": _EPOCHS.value,
        "validate_every_steps": _VALIDATE_EVERY_STEPS.value,
    }
    process = subprocess.run(
        [sys.executable, "-m", "trainer"]
        + [f"--{k}={v}" for k, v in settings.items() if v is not None]
    )
    if process.returncode:
        # The trainer has printed its own message.
        sys.exit(process.returncode)


if __name__ == "__main__":
    app.run(main)
