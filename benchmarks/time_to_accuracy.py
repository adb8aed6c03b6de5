"""Compares how soon finished training runs reached an accuracy."""

import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
from matplotlib.figure import Figure

THRESHOLDS = (0.90, 0.92, 0.98)
"""Sequence accuracies on `validation` whose times are compared."""


def compare_runs(workdirs: Mapping[str, pathlib.Path]) -> dict[str, Any]:
    """Reads the curves and results of finished runs.

    Args:
      workdirs: The run directory of each model. The first model is the
        baseline: its last accuracy is one of the thresholds.

    Returns:
      By model: `curve`, a list of (seconds, images, sequence accuracy on
      `validation`); `reached`, by threshold, the seconds and images at the
      first validation that reached it, or None; `seconds` of the whole
      training; `sequence_accuracy` and `individual_accuracy` on `test`;
      `parameters`; and `multiply_adds` per image. Seconds count from the start
      of training, and include compilation and validation.
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
    """Counts the multiply-adds of all convolutions and dense layers.

    Args:
      model: A model without nested models.

    Returns:
      The number per image.
    """
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            output_size = math.prod(layer.output.shape[1:])
            # The last axis of a kernel is the output channel.
            total += output_size * math.prod(layer.kernel.shape[:-1])
    return total


def format_table(comparison: Mapping[str, Any]) -> str:
    """Formats a comparison as a Markdown table, with one column per model.

    Args:
      comparison: From `compare_runs`.
    """
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
    for label, key, template in (
        ("whole training", "seconds", "{:.0f} s"),
        ("test sequence accuracy", "sequence_accuracy", "{:.4f}"),
        ("test individual accuracy", "individual_accuracy", "{:.4f}"),
        ("parameters", "parameters", "{:,}"),
        ("multiply-adds per image", "multiply_adds", "{:,}"),
    ):
        rows[label] = [template.format(e[key]) for e in comparison.values()]
    header = ["", *comparison]
    lines = [
        header,
        ["---"] * len(header),
        *([label, *cells] for label, cells in rows.items()),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw_curves(comparison: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws the error rate on `validation` over time, one curve per model.

    Args:
      comparison: From `compare_runs`.
      path: The picture to write; its suffix determines the format.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, entry in comparison.items():
        seconds, _, accuracies = zip(*entry["curve"], strict=True)
        errors = [100 * (1 - accuracy) for accuracy in accuracies]
        axes.plot(seconds, errors, marker=".", label=name)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="seconds of training",
        ylabel="misread sequences of validation, %",
    )
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path)
