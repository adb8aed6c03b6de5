"""Compares the time to accuracy of all networks."""

import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks import time_to_accuracy
from trainer.model.networks import NETWORKS

_BASELINE = "seed_cnn"
MODELS = (_BASELINE, *(name for name in NETWORKS if name != _BASELINE))
"""The networks in the order of their training."""


@dataclasses.dataclass(frozen=True)
class ModelComparison:
    """The training runs of several models.

    Attributes:
      comparison: From `time_to_accuracy.compare_runs`.
      name: Name of the files.
    """

    comparison: dict[str, Any]
    name: str = "models"

    def to_json(self) -> dict[str, Any]:
        """Returns the curves and figures of all runs."""
        return self.comparison

    def to_markdown(self) -> str:
        """Returns a table with one column per model."""
        return time_to_accuracy.format_table(self.comparison)

    def draw(self, path: pathlib.Path) -> None:
        """Draws the error rate of all models over time."""
        time_to_accuracy.draw_curves(self.comparison, path)


def compare_models(
    manual_dir: str,
    folder: pathlib.Path,
    dataset: str = "seqdigits/mnist",
    **settings: Any,
) -> Iterator[ModelComparison]:
    """Trains one model after the other, each with its own recipe.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Directory for the runs.
      dataset: TFDS name of the dataset.
      **settings: Further flags of the trainer.

    Yields:
      The comparison.

    Raises:
      SystemExit: If a training fails; the trainer has printed why.
    """
    runs = {model: folder / model for model in MODELS}
    flags = {
        "validate_every_steps": 50,
        **settings,
        "dataset": dataset,
        "manual_dir": manual_dir,
    }
    flags.setdefault("data_dir", folder / "data")
    for model, workdir in runs.items():
        process = subprocess.run(
            [sys.executable, "-m", "trainer", f"--model={model}"]
            + [f"--{name}={value}" for name, value in flags.items()]
            + [f"--workdir={workdir}"]
        )
        if process.returncode:
            sys.exit(process.returncode)
    yield ModelComparison(time_to_accuracy.compare_runs(runs))
