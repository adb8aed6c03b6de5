"""A run as a page: what was trained, what came out, and what was misread.

Made of what is in the run directory alone.
"""

import base64
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure

from seqdigits_tfds import BLANK
from seqdigits_tfds.png import encode_png
from trainer import charts, splits
from trainer.console import to_text

_NOTEBOOK = {"sequence_accuracy": 0.9286, "individual_accuracy": 0.9851}
"""What the notebook prints, after 12 epochs."""

_MAX_WRONG, _MAX_RIGHT = 60, 12

AddChart = Callable[[str, str, Figure], dict[str, str]]
"""Name of the file, title, chart -> what the page's template wants."""


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model read on the test split.

    Attributes:
      labels: int64 [n, positions].
      logits: float32 [n, positions, classes].
      rows: int64 [g], examples to show, ascending.
      images: uint8 [g, height, width, 1], these.
    """

    labels: np.ndarray
    logits: np.ndarray
    rows: np.ndarray
    images: np.ndarray


def choose_examples(
    labels: np.ndarray, logits: np.ndarray, split: splits.Split
) -> Predictions:
    """Chooses what to show: the worst mistakes, and close right answers.

    Args:
      labels: int64 [n, positions].
      logits: float32 [n, positions, classes].
      split: Where the images are.
    """
    order = np.argsort(_find_confidences(logits).prod(axis=-1), kind="stable")
    is_right = (logits.argmax(axis=-1) == labels).all(axis=-1)[order]
    worst, closest = order[~is_right][::-1], order[is_right]
    rows = np.sort(np.concatenate([worst[:_MAX_WRONG], closest[:_MAX_RIGHT]]))
    return Predictions(labels, logits, rows, splits.read_images(split, rows))


def make_page(
    config: Mapping[str, Any],
    metrics: charts.Lines,
    results: Mapping[str, Any],
    predictions: Predictions,
) -> tuple[str, dict[str, bytes]]:
    """Makes the page.

    Args:
      config: Content of config.json.
      metrics: The lines of metrics.jsonl.
      results: Content of results.json.
      predictions: Of the test split.

    Returns:
      HTML that needs no other file, and its charts as SVG files by name.
    """
    svgs: dict[str, bytes] = {}

    def add(name: str, title: str, figure: Figure) -> dict[str, str]:
        svg = charts.to_svg(figure)
        svgs[f"{name}.svg"] = svg
        return {"title": title, "svg": _to_base64(svg)}

    with charts.style():
        sections = [
            _show_course(metrics, add),
            _show_accuracy(results, add),
            _show_confusion(predictions, add),
            _show_reliability(predictions, add),
        ]
    run = config["config"]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trainer"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    html = environment.get_template("report.html").render(
        title=f"{run['model']} on {run['dataset']}",
        key_figures=_list_key_figures(metrics, results),
        comparison=[
            (name.replace("_", " "), _percent(results[name]), _percent(theirs))
            for name, theirs in _NOTEBOOK.items()
        ],
        sections=sections,
        galleries=_show_examples(predictions),
        configuration=run
        | config["versions"]
        | {
            "replicas": config["devices"]["num_replicas"],
            "records (SHA-256)": config["dataset"]["sha256"],
        },
    )
    return html, svgs


def _list_key_figures(
    metrics: charts.Lines, results: Mapping[str, Any]
) -> dict[str, str]:
    train = [line for line in metrics if line["split"] == "train"]
    minutes, seconds = divmod(round(metrics[-1]["seconds"]), 60)
    speed = np.median([line["images_per_second"] for line in train])
    wait = np.median([line["input_wait_share"] for line in train])
    return {
        "sequences right": _percent(results["sequence_accuracy"]),
        "positions right": _percent(results["individual_accuracy"]),
        "test images": f"{results['num_images']:,}",
        "steps, the best of the run": f"{results['step']:,}",
        "training and validation": f"{minutes} min {seconds} s",
        "images/s, median": f"{speed:,.0f}",
        "waiting for input, median": _percent(wait),
    }


def _show_course(metrics: charts.Lines, add: AddChart) -> dict[str, Any]:
    shown = [
        add(
            f"{name}_over_{x}",
            f"{title} over {of}",
            charts.draw_curves(metrics, name, label, x, of),
        )
        for name, title, label in (
            ("loss", "Loss", "loss, nats an image"),
            ("sequence_accuracy", "Misread sequences", "misread, %"),
        )
        for x, of in (("step", "steps"), ("seconds", "seconds"))
    ]
    shown.append(add("speed", "Speed", charts.draw_speed(metrics)))
    return {
        "title": "The course of training",
        "text": "Training images are distorted at random, which makes them"
        " harder to read than those of validation.",
        "charts": shown,
        "table": [
            ("step", "seconds", "loss", "sequence accuracy"),
            *(
                (
                    f"{line['step']:,}",
                    f"{line['seconds']:.0f}",
                    f"{line['loss']:.4f}",
                    _percent(line["sequence_accuracy"]),
                )
                for line in metrics
                if line["split"] == "validation"
            ),
        ],
    }


def _show_accuracy(results: Mapping[str, Any], add: AddChart) -> dict[str, Any]:
    by_position = {
        str(n): value for n, value in enumerate(results["by_position"], 1)
    }
    parts = (
        ("length", "Sequences by number of digits", results["by_length"]),
        ("position", "Positions from the left", by_position),
        ("digit", "Positions by digit", results["by_digit"]),
    )
    return {
        "title": "Accuracy on the test split",
        "text": f"{results['num_images']:,} images of {results['dataset']},"
        " each counted once.",
        "charts": [
            add(f"by_{name}", title, charts.draw_bars(values, name))
            for name, title, values in parts
        ],
        "table": [
            (title, key, _percent(value))
            for _, title, values in parts
            for key, value in values.items()
        ],
    }


def _show_confusion(predictions: Predictions, add: AddChart) -> dict[str, Any]:
    labels = predictions.labels
    answers = predictions.logits.argmax(axis=-1)
    num_classes = predictions.logits.shape[-1]
    classes = [*map(str, range(BLANK)), "blank"]
    counts = np.zeros((labels.shape[1], num_classes, num_classes), np.int64)
    for position in range(len(counts)):
        np.add.at(
            counts[position], (labels[:, position], answers[:, position]), 1
        )
    return {
        "title": "What is read as what",
        "text": "Numbers of positions; right answers are left out.",
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


def _show_reliability(
    predictions: Predictions, add: AddChart
) -> dict[str, Any]:
    confidences = _find_confidences(predictions.logits)
    right = predictions.logits.argmax(axis=-1) == predictions.labels
    return {
        "title": "How sure the model is, and how often it is right",
        "text": "A sequence's confidence is the product of its positions'."
        " Numbers are those of answers.",
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


def _show_examples(predictions: Predictions) -> list[dict[str, Any]]:
    rows = predictions.rows
    labels, logits = predictions.labels[rows], predictions.logits[rows]
    answers = logits.argmax(axis=-1)
    confidences = _find_confidences(logits).prod(axis=-1)
    pictures = [
        {
            "png": _to_base64(encode_png(image)),
            "actual": to_text(label),
            "predicted": to_text(answer),
            "confidence": _percent(confidence),
            "wrong": bool((label != answer).any()),
        }
        for image, label, answer, confidence in zip(
            predictions.images, labels, answers, confidences, strict=True
        )
    ]
    order = np.argsort(confidences, kind="stable")
    all_right = (predictions.logits.argmax(axis=-1) == predictions.labels).all(
        axis=-1
    )
    wrong = [pictures[n] for n in order[::-1] if pictures[n]["wrong"]]
    right = [pictures[n] for n in order if not pictures[n]["wrong"]]
    return [
        {
            "title": "Misread sequences",
            "text": f"{len(wrong)} of {(~all_right).sum()}: those of which the"
            " model was surest first. The actual digits, what was read, and how"
            " sure the model was.",
            "pictures": wrong,
        },
        {
            "title": "Just read",
            "text": f"{len(right)} of {all_right.sum():,} right answers: those"
            " of which the model was least sure first.",
            "pictures": right,
        },
    ]


def _find_confidences(logits: np.ndarray) -> np.ndarray:
    """Returns the probability of each answer, float64 [n, positions]."""
    exponentials = np.exp(
        logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    )
    return 1 / exponentials.sum(axis=-1)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}\N{NO-BREAK SPACE}%"


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
