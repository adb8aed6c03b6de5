"""The sections of a report: key figures, charts, tables and images."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sklearn.metrics
from matplotlib.figure import Figure

from seqdigits_tfds.png import encode_png
from trainer.data.sequences import to_text
from trainer.report import charts
from trainer.run.predictions import (
    SavedPredictions,
    find_confidences,
    find_hardest,
)

AddChart = Callable[[str, str, Figure], dict[str, str]]
"""Adds a chart, given the name of its file, its title and the figure. Returns
the values that the template needs."""


def list_key_figures(
    metrics: charts.Lines, results: Mapping[str, Any]
) -> dict[str, str]:
    """Lists the most important figures of a run, by description."""
    train = [line for line in metrics if line["split"] == "train"]
    minutes, seconds = divmod(round(metrics[-1]["seconds"]), 60)
    speed = np.median([line["images_per_second"] for line in train])
    wait = np.median([line["sampled_input_wait_share"] for line in train])
    return {
        f"sequences correct, {_between(results, 'sequence_accuracy')}": percent(
            results["sequence_accuracy"]
        ),
        "positions correct,"
        f" {_between(results, 'individual_accuracy')}": percent(
            results["individual_accuracy"]
        ),
        "test images": f"{results['num_images']:,}",
        "steps, best checkpoint": f"{results['step']:,}",
        "training and validation": f"{minutes} min {seconds} s",
        "images/s, median": f"{speed:,.0f}",
        "waiting for input, sampled": percent(wait),
    }


def draw_all_curves(
    curves: Mapping[str, charts.Lines], add: AddChart
) -> list[dict[str, str]]:
    """Draws loss and accuracy over steps and over time.

    Args:
      curves: The lines of each curve, by its label.
      add: Adds a chart.
    """
    return [
        add(
            f"{name}_over_{x}",
            f"{title} over {of}",
            charts.draw_curves(curves, name, label, x, of),
        )
        for name, title, label in (
            ("loss", "Loss", "loss, nats per image"),
            ("sequence_accuracy", "Misread sequences", "misread, %"),
        )
        for x, of in (("step", "steps"), ("seconds", "seconds"))
    ]


def show_training(metrics: charts.Lines, add: AddChart) -> dict[str, Any]:
    """Shows loss, accuracy and speed over the run."""
    curves = {
        split: [line for line in metrics if line["split"] == split]
        for split in ("train", "validation")
    }
    shown = draw_all_curves(curves, add)
    shown.append(add("speed", "Speed", charts.draw_speed(metrics)))
    return {
        "title": "Training",
        "text": "Training images may be distorted at random, which makes them"
        " harder to read than validation images.",
        "charts": shown,
        "table": [
            ("step", "seconds", "loss", "sequence accuracy"),
            *(
                (
                    f"{line['step']:,}",
                    f"{line['seconds']:.0f}",
                    f"{line['loss']:.4f}",
                    percent(line["sequence_accuracy"]),
                )
                for line in curves["validation"]
            ),
        ],
    }


def show_accuracy(results: Mapping[str, Any], add: AddChart) -> dict[str, Any]:
    """Shows the accuracy by length, position and digit."""
    by_position = {
        str(n): value for n, value in enumerate(results["by_position"], 1)
    }
    parts = (
        ("length", "Sequences by number of digits", results["by_length"]),
        ("position", "Positions from the left", by_position),
        ("digit", "Positions by digit", results["by_digit"]),
    )
    intervals = results["intervals"]
    ends = {
        **{"length": intervals["by_length"], "digit": intervals["by_digit"]},
        "position": dict(
            zip(by_position, intervals["by_position"], strict=True)
        ),
    }
    return {
        "title": "Accuracy on the test split",
        "text": f"{results['num_images']:,} images of {results['dataset']},"
        " each counted once.",
        "charts": [
            add(f"by_{name}", title, charts.draw_bars(values, name))
            for name, title, values in parts
        ],
        "table": [
            (title, key, percent(value), format_interval(ends[name][key]))
            for name, title, values in parts
            for key, value in values.items()
        ],
    }


def show_confusion(
    predictions: SavedPredictions, add: AddChart
) -> dict[str, Any]:
    """Shows which digits are confused with each other."""
    labels = predictions.labels
    predicted = predictions.logits.argmax(axis=-1)
    num_classes = predictions.logits.shape[-1]
    classes = [*map(str, range(num_classes - 1)), "blank"]
    counts = np.stack(
        [
            sklearn.metrics.confusion_matrix(
                *columns, labels=range(num_classes)
            )
            for columns in zip(labels.T, predicted.T, strict=True)
        ]
    )
    return {
        "title": "Confusion matrices",
        "text": "Number of positions by actual and predicted class, without"
        " correct predictions.",
        "charts": [
            add(
                "confusion",
                "All positions",
                charts.draw_confusion(counts.sum(axis=0), classes),
            ),
            *(
                add(
                    f"confusion_{number}",
                    f"Position {number}",
                    charts.draw_confusion(part, classes),
                )
                for number, part in enumerate(counts, 1)
            ),
        ],
        "table": [],
    }


def show_reliability(
    predictions: SavedPredictions, add: AddChart
) -> dict[str, Any]:
    """Shows how often predictions are correct, by confidence."""
    confidences = find_confidences(predictions.logits)
    right = predictions.logits.argmax(axis=-1) == predictions.labels
    return {
        "title": "Confidence and accuracy",
        "text": "The confidence of a sequence is the product of those of its"
        " positions. Labels show the number of predictions.",
        "charts": [
            add(
                "reliability_positions",
                "Positions",
                charts.draw_reliability(confidences.ravel(), right.ravel()),
            ),
            add(
                "reliability_sequences",
                "Sequences",
                charts.draw_reliability(
                    confidences.prod(axis=-1), right.all(axis=-1)
                ),
            ),
        ],
        "table": [],
    }


def show_examples(predictions: SavedPredictions) -> list[dict[str, Any]]:
    """Shows the selected images: misread ones, correct ones, hard digits."""
    rows = predictions.rows
    pictures = [show_example(predictions, index) for index in range(len(rows))]
    confidences = find_confidences(predictions.logits[rows]).prod(axis=-1)
    order = np.argsort(confidences, kind="stable")
    all_right = (predictions.logits.argmax(axis=-1) == predictions.labels).all(
        axis=-1
    )
    hardest = find_hardest(
        predictions.labels, predictions.logits, predictions.glyph_ids
    )
    wrong = [pictures[n] for n in order[::-1] if pictures[n]["wrong"]]
    right = [pictures[n] for n in order if not pictures[n]["wrong"]]
    return [
        {
            "title": "Misread sequences",
            "text": f"{len(wrong)} of {(~all_right).sum()} mistakes, in order"
            " of decreasing confidence: actual digits, predicted digits,"
            " confidence.",
            "pictures": wrong,
        },
        {
            "title": "Least certain correct sequences",
            "text": f"{len(right)} of {all_right.sum():,} correct predictions,"
            " in order of increasing confidence.",
            "pictures": right,
        },
        {
            "title": "Digits that cost most",
            "text": "The digit images that were misread most often: in a"
            " sequence, how often, and their glyph_id.",
            "pictures": [
                pictures[np.searchsorted(rows, glyph.row)]
                | {
                    "confidence": f"position {glyph.position + 1}:"
                    f" {glyph.num_wrong} of {glyph.num_shown},"
                    f" {glyph.glyph_id}"
                }
                for glyph in hardest
            ],
        },
    ]


def show_example(predictions: SavedPredictions, index: int) -> dict[str, Any]:
    """Shows one of the selected images, and how it was read.

    Args:
      predictions: The predictions.
      index: Index in `rows` and `images`.
    """
    row = predictions.rows[index]
    label, logits = predictions.labels[row], predictions.logits[row]
    reading = logits.argmax(axis=-1)
    return {
        "png": to_base64(encode_png(predictions.images[index])),
        "actual": to_text(label, logits.shape[-1]),
        "predicted": to_text(reading, logits.shape[-1]),
        "confidence": percent(find_confidences(logits).prod()),
        "wrong": bool((label != reading).any()),
    }


def list_splits(evaluations: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Returns a table of the accuracies on several splits.

    Args:
      evaluations: Metrics as in results.json, by description.
    """
    return [
        ("split", "images", "sequences correct", "95 %", "positions correct"),
        *(
            (
                name,
                f"{metrics['num_images']:,}",
                percent(metrics["sequence_accuracy"]),
                format_interval(metrics["intervals"]["sequence_accuracy"]),
                percent(metrics["individual_accuracy"]),
            )
            for name, metrics in evaluations.items()
        ),
    ]


def format_interval(ends: Sequence[float]) -> str:
    """Formats an interval of shares, 0 to 1, as percentages."""
    low, high = ends
    return f"{100 * low:.2f} to {percent(high)}"


def _between(results: Mapping[str, Any], name: str) -> str:
    return format_interval(results["intervals"][name])


def percent(share: float) -> str:
    """Formats a share, 0 to 1, as a percentage."""
    return f"{100 * share:.2f}\N{NO-BREAK SPACE}%"


def to_base64(data: bytes) -> str:
    """Encodes data as base64, for a data URL."""
    return base64.b64encode(data).decode()
