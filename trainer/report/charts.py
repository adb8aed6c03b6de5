"""The charts of a report, drawn with Matplotlib."""

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import ticker
from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.figsize": (5.2, 3.4),
    "font.size": 10,
    "grid.alpha": 0.25,
    "svg.fonttype": "none",  # Text in the browser's font.
    "svg.hashsalt": "seqdigits",  # Reproducible files.
}
_NUM_BINS = 10

Lines = Sequence[Mapping[str, Any]]
"""The lines of metrics.jsonl."""


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Applies the common style to charts drawn and saved in the block."""
    with mpl.rc_context(_STYLE):
        yield


def to_svg(figure: Figure) -> bytes:
    """Returns a figure as an SVG file."""
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def draw_curves(
    curves: Mapping[str, Lines], name: str, label: str, x: str, x_label: str
) -> Figure:
    """Draws a metric over steps or time.

    Args:
      curves: The lines of each curve, by its label.
      name: Name of the metric; accuracies are drawn as error rates, in percent.
      label: Label of the metric.
      x: "step" or "seconds".
      x_label: Label of `x`.
    """
    figure = Figure()
    axes = figure.subplots()
    for curve, lines in curves.items():
        if not lines:
            continue
        points = [(line[x], line[name]) for line in lines]
        xs, ys = np.array(points, np.float64).T
        if "accuracy" in name:
            ys = 100 * (1 - ys)
        line_style = "o-" if lines[0]["split"] == "validation" else "-"
        # Matplotlib reads $ as mathematics, and hides names with _ in front.
        text = " " + curve.replace("$", r"\$")
        axes.plot(xs, ys, line_style, markersize=3, linewidth=1, label=text)
    axes.set(yscale="log", ylabel=label, xlabel=x_label)
    # Figures such as 2 and 6e-02 instead of powers of ten.
    axes.yaxis.set_major_formatter(ticker.LogFormatter())
    axes.yaxis.set_minor_formatter(
        ticker.LogFormatter(minor_thresholds=(2, 0.5))
    )
    axes.legend()
    return figure


def draw_bars(accuracies: Mapping[str, float], label: str) -> Figure:
    """Draws error rates in percent, one bar for each entry."""
    figure = Figure()
    axes = figure.subplots()
    errors = [100 * (1 - accuracy) for accuracy in accuracies.values()]
    positions = range(len(errors))
    bars = axes.bar(positions, errors)
    axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.set_xticks(positions, list(accuracies))
    axes.set(xlabel=label, ylabel="misread, %")
    axes.grid(axis="x", visible=False)
    return figure


def draw_confusion(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draws a confusion matrix without correct predictions.

    Args:
      counts: int [classes, classes], actual x predicted.
      classes: Names of the classes.
    """
    figure = Figure(figsize=(5.2, 5.2))
    axes = figure.subplots()
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    axes.imshow(wrong, cmap="Blues")
    for (actual, predicted), count in np.ndenumerate(wrong):
        if count:
            is_dark = count > wrong.max() / 2
            axes.text(
                predicted,
                actual,
                str(count),
                ha="center",
                va="center",
                color="white" if is_dark else "black",
                fontsize=8,
            )
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes)
    axes.set_yticks(ticks, classes)
    axes.set(xlabel="read as", ylabel="actual")
    axes.grid(visible=False)
    return figure


def draw_reliability(confidences: np.ndarray, right: np.ndarray) -> Figure:
    """Draws the share of correct predictions in each tenth of the confidence.

    Args:
      confidences: float [n], 0 to 1.
      right: bool [n], whether each prediction is correct.
    """
    figure = Figure()
    axes = figure.subplots()
    bins = np.minimum((confidences * _NUM_BINS).astype(int), _NUM_BINS - 1)
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    points = [
        (
            confidences[bins == b].mean(),
            right[bins == b].mean(),
            (bins == b).sum(),
        )
        for b in np.unique(bins)
    ]
    axes.plot(*np.transpose(points)[:2], "o-", linewidth=1)
    for x, y, count in points:
        axes.annotate(
            f"{count:,}",
            (x, y),
            (4, -10),
            textcoords="offset points",
            fontsize=7,
        )
    axes.set(xlabel="confidence", ylabel="share of correct predictions")
    return figure


def draw_speed(lines: Lines) -> Figure:
    """Draws images per second, and the share of time spent on input."""
    figure = Figure()
    axes, below = figure.subplots(2, sharex=True)
    train = [line for line in lines if line["split"] == "train"]
    steps = [line["step"] for line in train]
    axes.plot(steps, [line["images_per_second"] for line in train], linewidth=1)
    below.plot(
        steps,
        [100 * line["sampled_input_wait_share"] for line in train],
        linewidth=1,
        color="tab:orange",
    )
    axes.set(ylabel="images/s", ylim=(0, None))
    below.set(ylabel="input wait, %", ylim=(0, None), xlabel="step")
    return figure
