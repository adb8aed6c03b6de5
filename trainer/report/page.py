"""The report of a run: report/index.html, its charts, and the model card.

They only depend on the files in the run directory.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import jinja2
from matplotlib.figure import Figure

from trainer.data.dataset import MNIST
from trainer.report import charts, sections
from trainer.report.card import CARD, make_card
from trainer.report.finished_run import FinishedRun
from trainer.run.files import explain_write_errors, write_atomically

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
    run = FinishedRun.load(run_path, results)
    charts_of_run = ChartFiles()
    html = _make_page(run, charts_of_run)
    path = charts_of_run.write(run_path / "report", html)
    write_atomically(run_path / CARD, make_card(run).encode())
    return path


class ChartFiles:
    """Collects the charts of a page, to write them as files beside it."""

    def __init__(self) -> None:
        self._svgs: dict[str, bytes] = {}

    def add(self, name: str, title: str, figure: Figure) -> dict[str, str]:
        """Adds a chart; see `sections.AddChart`."""
        svg = charts.to_svg(figure)
        self._svgs[f"{name}.svg"] = svg
        return {"title": title, "svg": sections.to_base64(svg)}

    def write(self, folder: pathlib.Path, html: str) -> pathlib.Path:
        """Writes charts and page.

        Returns:
          The path of the page.

        Raises:
          InputError: If a file can't be written.
        """
        with explain_write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for name, svg in self._svgs.items():
            write_atomically(folder / name, svg)
        write_atomically(folder / "index.html", html.encode())
        return folder / "index.html"


def render(**values: Any) -> str:
    """Returns a self-contained HTML page, from template.html."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("template.html").render(values)


def _make_page(run: FinishedRun, files: ChartFiles) -> str:
    with charts.style():
        chart_sections = [
            sections.show_training(run.metrics, files.add),
            sections.show_accuracy(run.results, files.add),
            sections.show_confusion(run.predictions, files.add),
            sections.show_reliability(run.predictions, files.add),
        ]
    settings, dataset = run.config["config"], run.config["dataset"]
    return render(
        title=f"{settings['model']} on {settings['dataset']}",
        key_figures=sections.list_key_figures(run.metrics, run.results),
        comparison=_compare(settings["dataset"], run.results),
        table_title="Splits",
        table=sections.list_splits(run.evaluations),
        sections=chart_sections,
        galleries=sections.show_examples(run.predictions),
        configuration=settings
        | run.config["versions"]
        | {
            "replicas": ", then ".join(
                str(segment["num_replicas"])
                for segment in run.config["segments"]
            ),
            "digest of the examples": dataset["digest"],
            "records (SHA-256)": dataset["sha256"],
        },
    )


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
