"""Time to accuracy: the notebook's network against the default model.

Runs the trainer once for each, one after the other, on the same data and
machine, with its own recipe. Prints a table, and writes it as JSON, with a
picture of accuracy over time.
"""

import json
import math
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags
from matplotlib.figure import Figure
from trainer.startup import quiet_tensorflow

with quiet_tensorflow():
    import keras

    from trainer.config import TrainConfig

_DATASET = flags.DEFINE_string(
    "dataset", "seqdigits/optdigits", "What to train on."
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS data directory.")
_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Directory with MNIST's four files, plain or .gz."
)
_OUT = flags.DEFINE_string(
    "out", "runs/comparison", "Where to write, runs included."
)
_EVERY = flags.DEFINE_integer(
    "validate_every_steps", 100, "Steps between two validations."
)
_EPOCHS = flags.DEFINE_integer("epochs", None, "Default: each model's own.")

MODELS = ("seed_cnn", TrainConfig().model)
THRESHOLDS = (0.90, 0.92, 0.98)


def main(argv: Sequence[str]) -> None:
    """Trains both, and compares."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    out = pathlib.Path(_OUT.value)
    for model in MODELS:
        train(model, out / model)
    comparison = compare({model: out / model for model in MODELS})
    (out / "comparison.json").write_text(json.dumps(comparison, indent=2))
    draw(comparison, out / "comparison.svg")
    print(format_table(comparison))
    print(f"\nSee also {out}/comparison.json and comparison.svg.")


def train(model: str, workdir: pathlib.Path) -> None:
    """Runs the trainer, if this run has not ended before."""
    settings = {
        "dataset": _DATASET.value,
        "data_dir": _DATA_DIR.value,
        "manual_dir": _MANUAL_DIR.value,
        "workdir": workdir,
        "model": model,
        "epochs": _EPOCHS.value,
        "validate_every_steps": _EVERY.value,
    }
    done = subprocess.run(
        [sys.executable, "-m", "trainer"]
        + [f"--{k}={v}" for k, v in settings.items() if v is not None]
    )
    if done.returncode:
        sys.exit(done.returncode)


def compare(workdirs: dict[str, pathlib.Path]) -> dict[str, Any]:
    """Reads the runs' figures.

    Args:
      workdirs: The run directory of each model; the first is the baseline.

    Returns:
      By model: `curve`, a list of (seconds, images, sequence accuracy on
      `validation`); `reached`, by threshold, the seconds and images at the
      first validation at or above it, or None; the figures on `test`;
      `parameters`; `multiply_adds` of an image. Seconds are those of training
      and validation, from the start of training, compilation included.
    """
    curves = {name: read_curve(path) for name, path in workdirs.items()}
    baseline = next(iter(curves.values()))
    thresholds = [*THRESHOLDS, baseline[-1][2]]
    comparison = {}
    for name, path in workdirs.items():
        results = json.loads((path / "results.json").read_text())
        model = keras.models.load_model(path / "model.keras")
        comparison[name] = {
            "curve": curves[name],
            "reached": {
                str(threshold): next(
                    (
                        {"seconds": seconds, "images": images}
                        for seconds, images, accuracy in curves[name]
                        if accuracy >= threshold
                    ),
                    None,
                )
                for threshold in thresholds
            },
            "seconds": curves[name][-1][0],
            "sequence_accuracy": results["sequence_accuracy"],
            "individual_accuracy": results["individual_accuracy"],
            "parameters": model.count_params(),
            "multiply_adds": count_multiply_adds(model),
        }
    return comparison


def read_curve(workdir: pathlib.Path) -> list[tuple[float, int, float]]:
    """Returns (seconds, images, sequence accuracy) of each validation."""
    config = json.loads((workdir / "config.json").read_text())["config"]
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        (
            line["seconds"],
            line["step"] * config["global_batch_size"],
            line["sequence_accuracy"],
        )
        for line in map(json.loads, lines)
        if line["split"] == "validation"
    ]


def count_multiply_adds(model: keras.Model) -> int:
    """Counts those of the kernels for one image."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            *places, channels = layer.output.shape[1:]
            per_output = layer.kernel.shape[:-1]
            total += math.prod([*places, channels, *per_output])
    return total


def format_table(comparison: dict[str, Any]) -> str:
    """Writes the comparison as a Markdown table, a column for each model."""
    thresholds = next(iter(comparison.values()))["reached"]
    rows = {
        f"validation reaches {float(threshold):.4f}": [
            "never"
            if (reached := entry["reached"][threshold]) is None
            else f"{reached['seconds']:.1f} s, {reached['images']:,} images"
            for entry in comparison.values()
        ]
        for threshold in thresholds
    }
    for label, key, form in (
        ("whole training", "seconds", "{:.0f} s"),
        ("test, sequence accuracy", "sequence_accuracy", "{:.4f}"),
        ("test, individual accuracy", "individual_accuracy", "{:.4f}"),
        ("parameters", "parameters", "{:,}"),
        ("multiply-adds an image", "multiply_adds", "{:,}"),
    ):
        rows[label] = [form.format(e[key]) for e in comparison.values()]
    head = ["", *comparison]
    lines = [head, ["---"] * len(head), *([k, *v] for k, v in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw(comparison: dict[str, Any], path: pathlib.Path) -> None:
    """Draws sequence accuracy on `validation` over time, both curves."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, entry in comparison.items():
        seconds, _, accuracies = zip(*entry["curve"], strict=True)
        errors = [1 - accuracy for accuracy in accuracies]
        axes.plot(seconds, errors, marker=".", label=name)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="seconds of training",
        ylabel="misread sequences of validation (share)",
    )
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    app.run(main)
