"""The run directory: one configuration, and what its run leaves behind."""

import dataclasses
import json
import os
import pathlib
import platform
import tempfile
from importlib import metadata
from typing import Any

import keras

from seqdigits_tfds import InputError
from trainer.config import TrainConfig

_PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-datasets")


def check_writable(directory: pathlib.Path, name: str) -> None:
    """Checks that files can be made in a directory, and leaves none behind.

    Args:
      directory: It need not exist.
      name: The setting it comes from.

    Raises:
      InputError: If none can be made.
    """
    try:
        missing = [
            path
            for path in (directory, *directory.parents)
            if not path.exists()
        ]
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        for path in missing:
            path.rmdir()
    except OSError as error:
        raise InputError(
            f"{name} must be a directory that can be written to, got"
            f" {str(directory)!r} ({error.strerror}); choose another --{name}"
        ) from error


class RunDirectory:
    """The files of one run.

    Args:
      path: The directory; it need not exist.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._config = self._path / "config.json"
        self._metrics = self._path / "metrics.jsonl"
        self.results_path = self._path / "results.json"
        self.model_path = self._path / "model.keras"

    @property
    def results(self) -> dict[str, Any] | None:
        """The final results; None while the run has not ended."""
        if not self.results_path.exists():
            return None
        return json.loads(self.results_path.read_text())

    def check(self, config: TrainConfig) -> None:
        """Checks that a run with these settings may use the directory.

        Raises:
          InputError: If it holds a run with other settings, or can't be
            written to.
        """
        check_writable(self._path, "workdir")
        if self._config.exists():
            self._check_equal("config", config.what_decides())

    def claim(self, config: TrainConfig, dataset_digest: str) -> None:
        """Makes the directory this run's own, by writing config.json.

        Args:
          config: The resolved settings.
          dataset_digest: SHA-256 of the dataset's records.

        Raises:
          InputError: As `check`, or if the directory holds a run on a dataset
            of this name with other records.
        """
        self.check(config)
        self._path.mkdir(parents=True, exist_ok=True)
        dataset = {"name": config.dataset, "sha256": dataset_digest}
        if self._config.exists():
            self._check_equal("dataset", dataset)
        content = {
            "config": dataclasses.asdict(config),
            "dataset": dataset,
            "versions": {
                "python": platform.python_version(),
                **{name: metadata.version(name) for name in _PACKAGES},
            },
        }
        _write_whole(self._config, content)

    def _check_equal(self, section: str, wanted: dict[str, Any]) -> None:
        try:
            found = json.loads(self._config.read_text())[section]
            differing = {k: found[k] for k in wanted if found[k] != wanted[k]}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._config} is not the configuration of a run; choose"
                " another --workdir"
            ) from error
        if differing:
            raise InputError(
                f"{self._path} holds a run of another configuration: "
                + ", ".join(
                    f"{name} is {value!r} there and {wanted[name]!r} here"
                    for name, value in differing.items()
                )
                + "; choose another --workdir"
            )

    def start_metrics(self) -> None:
        """Empties metrics.jsonl."""
        self._metrics.write_text("")

    def append_metrics(self, metrics: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl."""
        with self._metrics.open("a") as file:
            file.write(json.dumps(metrics) + "\n")

    def write_model(self, model: keras.Model) -> None:
        """Writes model.keras."""
        partial = self._path / "partial.keras"  # Keras wants this suffix.
        model.save(partial)
        os.replace(partial, self.model_path)

    def write_results(self, results: dict[str, Any]) -> None:
        """Writes results.json: the last file of a run that has ended."""
        _write_whole(self.results_path, results)


def _write_whole(path: pathlib.Path, content: dict[str, Any]) -> None:
    # Whoever looks finds the old file or the new one, never half of it.
    partial = path.with_name(f"partial.{path.name}")
    partial.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(partial, path)
