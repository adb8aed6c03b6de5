"""Compares finished runs: their curves, their figures, and what each reads."""

import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqdigits_tfds import InputError
from trainer.report import charts, sections
from trainer.report.finished_run import FinishedRun
from trainer.report.page import ChartFiles, render

_MAX_PICTURES = 12
"""Number of examples shown for each pair of runs, in each direction."""


def write_comparison(
    paths: Sequence[pathlib.Path], folder: pathlib.Path
) -> pathlib.Path:
    """Writes a page that compares runs, and its charts.

    Args:
      paths: Two or more run directories; their last parts name the runs.
      folder: Where to write.

    Returns:
      The path of the page.

    Raises:
      InputError: If a run is not finished, is named twice, or the page can't be
        written.
    """
    names = [path.resolve().name for path in paths]
    if len(paths) < 2 or len(set(names)) < len(names):
        raise InputError(
            "two or more runs in directories of different names can be"
            f" compared, got {', '.join(names) or 'none'}"
        )
    runs = {
        name: FinishedRun.load(path)
        for name, path in zip(names, paths, strict=True)
    }
    files = ChartFiles()
    with charts.style():
        shown = [_show_curves(runs, files), _show_splits(runs)]
    pairs = [
        (one, other)
        for one, other in itertools.combinations(runs, 2)
        if _have_the_same_test(runs[one], runs[other])
    ]
    if pairs:
        shown.append(_show_disagreements(runs, pairs))
    page = render(
        title=" and ".join(names),
        key_figures={
            f"sequences correct, {name}": sections.percent(
                run.results["sequence_accuracy"]
            )
            for name, run in runs.items()
        },
        comparison=[],
        table_title="Runs",
        table=_list_runs(runs),
        sections=shown,
        galleries=[
            gallery
            for pair in pairs
            for gallery in (
                _show_pictures(runs, *pair),
                _show_pictures(runs, *reversed(pair)),
            )
            if gallery["pictures"]
        ],
        configuration=_list_differences(runs),
    )
    return files.write(folder, page)


def count_disagreements(one: FinishedRun, other: FinishedRun) -> list[int]:
    """Counts the sequences of `test` by who reads them.

    Returns:
      Read by both, only by `one`, only by `other`, by neither.
    """
    first, second = _find_right(one), _find_right(other)
    return [
        int(part.sum())
        for part in (
            first & second,
            first & ~second,
            ~first & second,
            ~first & ~second,
        )
    ]


def _find_right(run: FinishedRun) -> np.ndarray:
    predictions = run.predictions
    right = predictions.logits.argmax(axis=-1) == predictions.labels
    return right.all(axis=-1)


def _have_the_same_test(one: FinishedRun, other: FinishedRun) -> bool:
    digests = [run.config["dataset"]["digest"] for run in (one, other)]
    return digests[0] == digests[1]


def _list_runs(runs: Mapping[str, FinishedRun]) -> list[tuple[str, ...]]:
    header = (
        *("run", "model", "dataset", "best step", "minutes"),
        *("correct", "95 %"),
    )
    return [
        header,
        *(
            (
                name,
                run.config["config"]["model"],
                run.results["dataset"],
                f"{run.results['step']:,}",
                f"{run.metrics[-1]['seconds'] / 60:.1f}",
                sections.percent(run.results["sequence_accuracy"]),
                sections.format_interval(
                    run.results["intervals"]["sequence_accuracy"]
                ),
            )
            for name, run in runs.items()
        ),
    ]


def _show_curves(
    runs: Mapping[str, FinishedRun], files: ChartFiles
) -> dict[str, Any]:
    curves = {
        name: [line for line in run.metrics if line["split"] == "validation"]
        for name, run in runs.items()
    }
    return {
        "title": "Training",
        "text": "On validation.",
        "charts": sections.draw_all_curves(curves, files.add),
        "table": [],
    }


def _show_splits(runs: Mapping[str, FinishedRun]) -> dict[str, Any]:
    """Lists the accuracy of each run on each split, with intervals."""
    splits = dict.fromkeys(
        split for run in runs.values() for split in run.evaluations
    )

    def describe(run: FinishedRun, split: str) -> str:
        metrics = run.evaluations.get(split)
        if metrics is None:
            return ""
        accuracy = sections.percent(metrics["sequence_accuracy"])
        interval = metrics["intervals"]["sequence_accuracy"]
        return f"{accuracy} ({sections.format_interval(interval)})"

    return {
        "title": "Splits",
        "text": "Sequences correct, with 95 % confidence intervals.",
        "charts": [],
        "table": [
            ("split", *runs),
            *(
                (split, *(describe(run, split) for run in runs.values()))
                for split in splits
            ),
        ],
    }


def _show_disagreements(
    runs: Mapping[str, FinishedRun], pairs: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    return {
        "title": "What each reads that the other does not",
        "text": "Sequences of test. Where the numbers read by one run alone are"
        " similar, the runs differ by chance.",
        "charts": [],
        "table": [
            ("runs", "both", "only the first", "only the second", "neither"),
            *(
                (
                    f"{one}, {other}",
                    *(
                        f"{count:,}"
                        for count in count_disagreements(runs[one], runs[other])
                    ),
                )
                for one, other in pairs
            ),
        ],
    }


def _show_pictures(
    runs: Mapping[str, FinishedRun], reads: str, misreads: str
) -> dict[str, Any]:
    """Shows examples that only the first run reads.

    Their images are among those that the second run has saved.
    """
    predictions = runs[misreads].predictions
    is_shown = _find_right(runs[reads]) & ~_find_right(runs[misreads])
    pictures = [
        sections.show_example(predictions, index)
        for index, row in enumerate(predictions.rows)
        if is_shown[row]
    ]
    return {
        "title": f"Read by {reads}, misread by {misreads}",
        "text": "Actual digits, and how they were misread.",
        "pictures": pictures[:_MAX_PICTURES],
    }


def _list_differences(runs: Mapping[str, FinishedRun]) -> dict[str, str]:
    """Lists the settings that are not the same in all runs."""
    settings = [
        {**run.config["config"], **run.config["versions"]}
        for run in runs.values()
    ]
    names = dict.fromkeys(name for each in settings for name in each)
    values = {
        name: [str(each.get(name)) for each in settings] for name in names
    }
    return {
        name: " / ".join(found)
        for name, found in values.items()
        if len(set(found)) > 1
    }
