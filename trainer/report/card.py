"""The model card of a run: README.md, as the Hugging Face Hub shows it."""

import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

import jinja2
import yaml

from seqdigits_tfds.builder_config import TILED
from trainer.report.finished_run import FinishedRun
from trainer.report.sections import list_splits

CARD = "README.md"

_LIMITS = {
    True: (
        "Images must be divided into cells of equal size, one for each digit,"
        " from the left. Others are misread."
    ),
    False: (
        "Images of other sizes, with more digits, or with other clutter and"
        " noise than in training are read less well; see the table."
    ),
}
"""By whether the layout is `TILED`."""

_MORE_LIMITS = (
    "It reads digits and blanks only, and has no class for anything else.",
    "It has seen the handwriting of its training digits; measure it on your own"
    " before you rely on it.",
)


def make_card(finished: FinishedRun) -> str:
    """Makes the card of a run: Markdown, with the Hub's metadata in YAML."""
    config, results = finished.config, finished.results
    predictions = finished.predictions
    run, dataset = config["config"], config["dataset"]
    name = run["model"].rpartition(":")[-1]
    _, positions, classes = predictions.logits.shape
    settings = {
        key: run[key]
        for key in (
            *("dataset", "model", "ensemble_size", "train_sequences"),
            *("epochs", "max_steps", "global_batch_size", "learning_rate"),
            *("distortion", "precision", "seed", "validate_every_steps"),
        )
        if run[key] is not None
    }
    folder, _, version = dataset["name"].rpartition("/")
    settings["dataset"] = f"{folder}:{version}"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md.jinja").render(
        front_matter=yaml.safe_dump(
            _make_metadata(name, dataset["name"], results), sort_keys=False
        ),
        title=f"{name} on {dataset['name']}",
        shape=predictions.images.shape[1:],
        positions=positions,
        classes=classes,
        splits=list_splits(finished.evaluations),
        training={
            **settings,
            "best checkpoint": f"after {results['step']:,} steps",
            "digest of the examples": dataset["digest"],
            "versions": ", ".join(
                f"{key} {value}" for key, value in config["versions"].items()
            ),
        },
        command=shlex.join(
            ["python", "-m", "trainer"]
            + [f"--{key}={value}" for key, value in settings.items()]
        ),
        limits=[_LIMITS[results["layout"] == TILED], *_MORE_LIMITS],
    )


def _make_metadata(
    name: str, dataset: str, results: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the Hub's metadata, with the accuracies on `test`."""
    metrics = [
        {
            "type": "accuracy",
            "name": f"{kind} accuracy",
            "value": round(results[f"{kind}_accuracy"], 5),
        }
        for kind in ("sequence", "individual")
    ]
    return {
        "library_name": "keras",
        "pipeline_tag": "image-to-text",
        "tags": ["handwriting", "digits", "tensorflow"],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": "image-to-text"},
                        "dataset": {
                            "name": dataset,
                            "type": "seqdigits",
                            "split": results["split"],
                        },
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }
