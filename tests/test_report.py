"""The report of a run."""

import json
import re
import shutil

import numpy as np
import pytest
import yaml

from helpers import list_requests
from seqdigits_tfds import InputError
from trainer.config import TrainConfig
from trainer.report import charts
from trainer.report.comparison import write_comparison
from trainer.report.page import write_report
from trainer.run.predictions import find_hardest


@pytest.mark.long
@pytest.mark.parametrize("width", [360, 1280])
def test_a_browser_displays_the_page(short_run, browser, width):
    page = short_run / "report" / "index.html"
    browser.get_log("browser")
    browser.get_log("performance")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": width,
            "height": 800,
            "deviceScaleFactor": 1,
            "mobile": width < 500,
        },
    )
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    outside = [
        url
        for url in list_requests(browser)
        if not url.startswith(("data:", page.as_uri()))
    ]
    assert outside == []
    # Nothing is wider than the screen, and all images are drawn.
    assert (
        browser.execute_script("return document.documentElement.scrollWidth")
        <= width
    )
    assert browser.execute_script(
        "return [...document.images].every(i => i.complete && i.naturalWidth)"
    )
    text = browser.find_element("tag name", "body").text
    results = json.loads((short_run / "results.json").read_text())
    for name in ("sequence_accuracy", "individual_accuracy"):
        assert f"{100 * results[name]:.2f} %" in text
    browser.execute_script(
        "document.querySelectorAll('details').forEach(d => d.open = true)"
    )
    rows = [
        [cell.text for cell in row.find_elements("tag name", "td")]
        for row in browser.find_elements("css selector", "details tr")
    ]
    by_position = enumerate(results["by_position"], 1)
    for title, figures in (
        ("Sequences by number of digits", results["by_length"]),
        ("Positions from the left", dict(by_position)),
        ("Positions by digit", results["by_digit"]),
    ):
        for key, figure in figures.items():
            assert [title, str(key), f"{100 * figure:.2f} %"] in [
                row[:3] for row in rows
            ]


def test_the_model_card_is_true(short_run, monkeypatch):
    text = (short_run / "README.md").read_text()
    _, metadata, body = text.split("---\n", 2)
    results = json.loads((short_run / "results.json").read_text())
    config = json.loads((short_run / "config.json").read_text())
    (entry,) = yaml.safe_load(metadata)["model-index"][0]["results"]
    assert entry["dataset"]["name"] == results["dataset"]
    with np.load(short_run / "predictions.npz") as arrays:
        right = arrays["logits"].argmax(axis=-1) == arrays["labels"]
    assert [metric["value"] for metric in entry["metrics"]] == [
        round(right.all(axis=-1).mean(), 5),
        round(right.mean(), 5),
    ]
    low, high = results["intervals"]["sequence_accuracy"]
    assert f"| {100 * low:.2f} to {100 * high:.2f}" in body
    assert config["dataset"]["digest"] in body
    # The example loads the model, and the command has the run's settings.
    monkeypatch.chdir(short_run)
    (example,) = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    values = {"images": np.zeros((2, 64, 64, 1), np.uint8)}
    exec(example, values)
    assert values["classes"].shape == (2, 5)
    (command,) = re.findall(r"```sh\n(.*?)```", body, re.DOTALL)
    flags = dict(part[2:].split("=") for part in command.split()[3:])
    flags["dataset"] = flags["dataset"].replace(":", "/")
    expected = TrainConfig(**config["config"]).result_settings()
    assert flags == {
        name: str(value)
        for name, value in expected.items()
        if value is not None
    }


def test_figures_are_those_of_the_predictions(short_run):
    results = json.loads((short_run / "results.json").read_text())
    with np.load(short_run / "predictions.npz") as arrays:
        labels, logits = arrays["labels"], arrays["logits"]
        assert len(arrays["images"]) == len(arrays["rows"]) > 12
        glyph_ids, rows = arrays["glyph_ids"], arrays["rows"]
    right = logits.argmax(axis=-1) == labels
    hardest = find_hardest(labels, logits, glyph_ids)
    assert len(hardest) == 24
    counts = [
        (glyph.num_wrong, glyph.num_shown)
        for glyph in hardest
        if glyph.row in rows and not right[glyph.row, glyph.position]
    ]
    assert counts == [
        (
            (~right)[glyph_ids == glyph.glyph_id].sum(),
            (glyph_ids == glyph.glyph_id).sum(),
        )
        for glyph in hardest
    ]
    assert (
        counts[0][0] == np.bincount(glyph_ids[~right & (glyph_ids >= 0)]).max()
    )
    page = (short_run / "report" / "index.html").read_text()
    for glyph, (wrong, shown) in zip(hardest, counts, strict=True):
        assert f"{wrong} of {shown}, {glyph.glyph_id}" in page
    assert len(labels) == results["num_images"]
    assert right.mean() == results["individual_accuracy"]
    assert right.all(axis=1).mean() == results["sequence_accuracy"]
    for name, num_wrong in (
        ("confusion", (~right).sum()),
        *((f"confusion_{n + 1}", (~right[:, n]).sum()) for n in range(5)),
    ):
        svg = (short_run / "report" / f"{name}.svg").read_text()
        counts = re.findall(r">(\d+)</text>", svg)
        # The ticks of both axes are digits as well.
        assert sum(map(int, counts)) - 2 * sum(range(10)) == num_wrong
    for name, num_predictions in (
        ("reliability_positions", right.size),
        ("reliability_sequences", len(right)),
    ):
        svg = (short_run / "report" / f"{name}.svg").read_text()
        counts = re.findall(r">([\d,]+)</text>", svg)
        assert sum(int(c.replace(",", "")) for c in counts) == num_predictions
    page = short_run / "report" / "index.html"
    assert page.stat().st_size < 5_000_000


def test_reliability_is_averaged_over_each_tenth():
    confidences = np.array([0.04, 0.95, 0.08, 0.97, 1.0])
    right = np.array([False, True, True, True, False])
    (axes,) = charts.draw_reliability(confidences, right).axes
    xs, ys = axes.lines[1].get_data()
    assert xs == pytest.approx([0.06, 2.92 / 3])
    assert ys == pytest.approx([1 / 2, 2 / 3])


def test_a_report_can_be_made_again(short_run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(short_run, copy)
    shutil.rmtree(copy / "report")
    assert write_report(copy) == copy / "report" / "index.html"
    for path in (short_run / "report").iterdir():
        assert (copy / "report" / path.name).read_bytes() == path.read_bytes()


def test_only_mnist_is_compared_with_the_notebook(short_run, tmp_path):
    assert "notebook" not in (short_run / "report/index.html").read_text()
    copy = tmp_path / "run"
    shutil.copytree(short_run, copy)
    for name in ("config.json", "results.json"):
        text = (copy / name).read_text()
        (copy / name).write_text(
            text.replace("seqdigits/tiny", "seqdigits/mnist")
        )
    assert "92.86\N{NO-BREAK SPACE}%" in write_report(copy).read_text()


def test_an_unfinished_run_has_no_report(tmp_path):
    for _ in range(2):
        with pytest.raises(InputError, match="directory of a finished run"):
            write_report(tmp_path)
        (tmp_path / "metrics.jsonl").touch()
    assert not (tmp_path / "report").exists()


@pytest.fixture
def compared(short_run, tmp_path):
    """Three runs; the first two have the same test split."""
    folder = tmp_path / "compared"
    for name in ("first", "second", "third"):
        shutil.copytree(short_run, folder / name)
    # As if its model had read some other sequences.
    path = folder / "second" / "predictions.npz"
    with np.load(path) as arrays:
        values = dict(arrays)
    values["logits"] = np.roll(values["logits"], 3, axis=0)
    values["logits"][:40] = 9 * np.eye(11)[values["labels"][:40]]
    np.savez_compressed(path, **values)
    path = folder / "third" / "config.json"
    config = json.loads(path.read_text())
    config["dataset"]["digest"] = "another"
    config["config"]["seed"] = 7
    path.write_text(json.dumps(config))
    return folder


def test_curves_have_the_names_of_runs():
    lines = [{"split": "train", "step": n, "loss": 1.0} for n in (1, 2)]
    names = ["lr$x_{$", "_base", "plain"]
    figure = charts.draw_curves(
        dict.fromkeys(names, lines), "loss", "loss", "step", "step"
    )
    legend = figure.axes[0].get_legend().get_texts()
    assert [
        text.get_text().strip().replace("\\$", "$") for text in legend
    ] == names
    charts.to_svg(figure)


def test_runs_are_compared(compared, tmp_path):
    names = ("first", "second", "third")
    page = write_comparison([compared / n for n in names], tmp_path / "page")
    text = page.read_text()
    rights = []
    for name in ("first", "second"):
        with np.load(compared / name / "predictions.npz") as arrays:
            right = arrays["logits"].argmax(axis=-1) == arrays["labels"]
        rights.append(right.all(axis=-1))
    first, second = rights
    expected = [
        (first & second).sum(),
        (first & ~second).sum(),
        (~first & second).sum(),
        (~first & ~second).sum(),
    ]
    assert expected[2] > 0
    cells = "".join(f"<td>{count:,}</td>" for count in expected)
    assert f"<td>first, second</td>{cells}" in text
    # The third one has another test split.
    assert "first, third" not in text
    assert "Read by second, misread by first" in text
    assert "<td>seed</td><td>0 / 0 / 7</td>" in text
    results = json.loads((compared / "first" / "results.json").read_text())
    low, high = results["intervals"]["sequence_accuracy"]
    accuracy = results["sequence_accuracy"]
    interval = f"{100 * low:.2f} to {100 * high:.2f}"
    assert text.count(interval) >= 3
    assert f"{100 * accuracy:.2f}" in text
    svg = (page.parent / "sequence_accuracy_over_step.svg").read_text()
    for name in names:
        assert name in svg


def test_runs_that_can_not_be_compared_are_refused(compared, tmp_path):
    for paths, message in (
        ([compared / "first"], "two or more runs"),
        ([compared / "first"] * 2, "of different names"),
        ([compared / "first", tmp_path], "of a finished run"),
    ):
        with pytest.raises(InputError, match=message):
            write_comparison(paths, tmp_path / "page")
    assert not (tmp_path / "page").exists()
