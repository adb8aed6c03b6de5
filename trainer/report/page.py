"""The report of a run: report/index.html, its charts, and the model card.

They only depend on the files in the run directory.
"""

import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import jinja2
from matplotlib.figure import Figure

from seqdigits_tfds import InputError
from trainer.data.dataset import MNIST
from trainer.report import charts, sections
from trainer.report.card import CARD, make_card
from trainer.run.files import explain_write_errors, write_atomically
from trainer.run.predictions import SavedPredictions

EVALUATIONS = "evaluations"
"""The folder in a run directory with evaluations made after the run."""

_NOTEBOOK = {"sequence_accuracy": 0.9286, "individual_accuracy": 0.9851}
"""The accuracies that the notebook prints after 12 epochs on MNIST."""


def write_report(
    run_path: pathlib.Path, results: Mapping[str, Any] | None = None
) -> pathlib.Path:
    """Writes the report and the model card of a run.

    Args:
      run_path: The run directory.
      results: The content of results.json; None to read the file.

    Returns:
      The path of report/index.html.

    Raises:
      InputError: If files of the run are missing or damaged, or the report
        can't be written.
    """
    try:
        config = json.loads((run_path / "config.json").read_text())
        lines = (run_path / "metrics.jsonl").read_text().splitlines()
        metrics = [json.loads(line) for line in lines]
        results = results or json.loads((run_path / "results.json").read_text())
        predictions = SavedPredictions.load(run_path / "predictions.npz")
        splits = _list_splits(run_path, results)
        html, svgs = _make_page(config, metrics, results, predictions, splits)
        card = make_card(config, results, predictions, splits)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        zipfile.BadZipFile,
    ) as error:
        raise InputError(
            "workdir must be the directory of a finished run, got"
            f" {str(run_path)!r} ({error})"
        ) from error
    directory = run_path / "report"
    with explain_write_errors(directory):
        directory.mkdir(exist_ok=True)
    for name, svg in svgs.items():
        write_atomically(directory / name, svg)
    write_atomically(directory / "index.html", html.encode())
    write_atomically(run_path / CARD, card.encode())
    return directory / "index.html"


def _list_splits(
    run_path: pathlib.Path, results: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    """Lists the accuracies on all splits, those evaluated later at the end."""
    evaluations = {
        f"{name} of {results['dataset']}": values
        for name, values in (
            ("test", results),
            *results["other_splits"].items(),
        )
    }
    for path in sorted((run_path / EVALUATIONS).glob("*.json")):
        values = json.loads(path.read_text())
        evaluations[f"{values['split']} of {values['dataset']}"] = values
    return sections.list_splits(evaluations)


def _make_page(
    config: Mapping[str, Any],
    metrics: charts.Lines,
    results: Mapping[str, Any],
    predictions: SavedPredictions,
    splits: list[tuple[str, ...]],
) -> tuple[str, dict[str, bytes]]:
    """Returns a self-contained HTML page, and its charts by file name."""
    svgs: dict[str, bytes] = {}

    def add(name: str, title: str, figure: Figure) -> dict[str, str]:
        svg = charts.to_svg(figure)
        svgs[f"{name}.svg"] = svg
        return {"title": title, "svg": sections.to_base64(svg)}

    with charts.style():
        chart_sections = [
            sections.show_training(metrics, add),
            sections.show_accuracy(results, add),
            sections.show_confusion(predictions, add),
            sections.show_reliability(predictions, add),
        ]
    run = config["config"]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    html = environment.get_template("template.html").render(
        title=f"{run['model']} on {run['dataset']}",
        key_figures=sections.list_key_figures(metrics, results),
        comparison=_compare(run["dataset"], results),
        splits=splits,
        sections=chart_sections,
        galleries=sections.show_examples(predictions),
        configuration=run
        | config["versions"]
        | {
            "replicas": ", then ".join(
                str(segment["num_replicas"]) for segment in config["segments"]
            ),
            "digest of the examples": config["dataset"]["digest"],
            "records (SHA-256)": config["dataset"]["sha256"],
        },
    )
    return html, svgs


def _compare(
    dataset: str, results: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Returns rows (metric, this run, notebook), for MNIST only."""
    if not dataset.startswith(f"{MNIST}/"):
        return []
    return [
        (
            name.replace("_", " "),
            sections.percent(results[name]),
            sections.percent(accuracy),
        )
        for name, accuracy in _NOTEBOOK.items()
    ]
