"""The files of a finished run, as far as reports need them."""

import dataclasses
import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any, Self

from seqdigits_tfds import InputError
from trainer.report.charts import Lines
from trainer.run.predictions import SavedPredictions

EVALUATIONS = "evaluations"
"""The folder in a run directory with evaluations made after the run."""


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """The content of a run directory.

    Attributes:
      config: config.json.
      metrics: metrics.jsonl.
      results: results.json.
      predictions: predictions.npz.
      evaluations: Metrics of all splits that were evaluated, by description;
        first those of results.json, and last those of evaluations/.
    """

    config: Mapping[str, Any]
    metrics: Lines
    results: Mapping[str, Any]
    predictions: SavedPredictions
    evaluations: Mapping[str, Any]

    @classmethod
    def load(
        cls, path: pathlib.Path, results: Mapping[str, Any] | None = None
    ) -> Self:
        """Reads a run directory.

        Args:
          path: The run directory.
          results: The content of results.json; None to read the file.

        Raises:
          InputError: If files of the run are missing or damaged.
        """
        try:
            lines = (path / "metrics.jsonl").read_text().splitlines()
            if not lines:
                raise ValueError("metrics.jsonl is empty")
            if results is None:
                results = json.loads((path / "results.json").read_text())
            later = [
                json.loads(file.read_text())
                for file in sorted((path / EVALUATIONS).glob("*.json"))
            ]
            return cls(
                json.loads((path / "config.json").read_text()),
                [json.loads(line) for line in lines],
                results,
                SavedPredictions.load(path / "predictions.npz"),
                {
                    f"{name} of {results['dataset']}": values
                    for name, values in (
                        ("test", results),
                        *results["other_splits"].items(),
                    )
                }
                | {
                    f"{values['split']} of {values['dataset']}": values
                    for values in later
                },
            )
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            zipfile.BadZipFile,
        ) as error:
            raise InputError(
                "workdir must be the directory of a finished run, got"
                f" {str(path)!r} ({error})"
            ) from error
