"""The run directory: its configuration, its lock, and its final files."""

import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import tempfile
from collections.abc import Iterator
from importlib import metadata
from typing import Any, Self

import filelock
import keras

from seqdigits_tfds import InputError
from trainer.config import TrainConfig
from trainer.model.export import write_saved_model
from trainer.run.files import (
    check_writable,
    replace_atomically,
    write_atomically,
)
from trainer.run.history import History

_WRITTEN = (
    "README.md",
    "checkpoints",
    "export",
    "metrics.jsonl",
    "model.keras",
    "predictions.npz",
    "report",
    "results.json",
    "tensorboard",
)
"""What a run writes into its directory after config.json."""

_PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-datasets")


def read_config(path: pathlib.Path) -> TrainConfig:
    """Reads the settings of a run.

    Args:
      path: Its run directory.

    Raises:
      InputError: If it is not the directory of a run of this version.
    """
    try:
        content = json.loads((path / "config.json").read_text())
        return TrainConfig(**content["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"workdir must be the directory of a run, got {str(path)!r}, which"
            " has no config.json of this version"
        ) from error


@contextlib.contextmanager
def open_run(path: pathlib.Path, is_chief: bool) -> Iterator["RunDirectory"]:
    """Opens the run directory.

    Args:
      path: The chief's run directory.
      is_chief: Whether this worker is the chief. The others use a temporary
        directory, and print nothing.
    """
    with contextlib.ExitStack() as stack:
        if not is_chief:
            nowhere = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
            temporary = stack.enter_context(tempfile.TemporaryDirectory())
            path = pathlib.Path(temporary)
        yield stack.enter_context(RunDirectory(path))


class RunDirectory:
    """The files of a run; a context manager that releases the lock at the end.

    Args:
      path: The directory; it need not exist.

    Attributes:
      history: The run's metrics, curves and checkpoints.
      predictions_path: The path of predictions.npz.
      results_path: The path of results.json.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._config = path / "config.json"
        self._lock = filelock.FileLock(path / ".lock")
        self.history = History(path)
        self.predictions_path = path / "predictions.npz"
        self.results_path = path / "results.json"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.history.tensorboard.close()
        self._lock.release()

    @property
    def path(self) -> pathlib.Path:
        """The directory."""
        return self._path

    @property
    def results(self) -> dict[str, Any] | None:
        """The content of results.json; None if the run is not finished.

        Raises:
          InputError: If the file is damaged.
        """
        if not self.results_path.exists():
            return None
        try:
            return json.loads(self.results_path.read_text())
        except ValueError as error:
            raise InputError(
                f"{self.results_path} is damaged ({error}); delete it, and run"
                " the same command again: it ends from the last checkpoint"
            ) from error

    def check(self, config: TrainConfig) -> None:
        """Checks that a run with these settings can use the directory.

        Raises:
          InputError: If it belongs to a run with other settings or of another
            version, has files that a run would replace, or if the run is not
            finished and it is not writable.
        """
        if self._config.exists():
            self._check_equal("config", config.result_settings())
            self._check_equal("recipe", dataclasses.asdict(config.recipe))
        elif found := [n for n in _WRITTEN if (self._path / n).exists()]:
            raise InputError(
                f"workdir must be new or the directory of a run, got"
                f" {str(self._path)!r}, which has {', '.join(found)} but no"
                " config.json; choose another --workdir"
            )
        if self.results is None:
            check_writable(self._path, "workdir")

    def lock_and_record(
        self, config: TrainConfig, digests: dict[str, str]
    ) -> None:
        """Locks the directory for this process, and writes config.json.

        Args:
          config: The resolved settings.
          digests: Digests of the dataset, by name.

        Raises:
          InputError: If the directory is not writable, is in use by another
            process, or belongs to a run with other settings or records.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        self.lock()
        dataset = {"name": config.dataset, **digests}
        self.check(config)
        if self._config.exists():
            self._check_equal("dataset", dataset)
            return
        content = {
            "config": dataclasses.asdict(config),
            "recipe": dataclasses.asdict(config.recipe),
            "dataset": dataset,
            "segments": [],
            "versions": {
                "python": platform.python_version(),
                **{name: metadata.version(name) for name in _PACKAGES},
            },
        }
        write_atomically(self._config, _to_json(content))

    def lock(self) -> None:
        """Locks the existing directory for this process.

        Raises:
          InputError: If it is in use by another process.
        """
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise InputError(
                f"{self._path} is in use by another trainer; wait until it"
                " ends, or choose another --workdir"
            ) from error

    def record_segment(
        self, step: int, segment: dict[str, Any]
    ) -> dict[str, tuple[Any, Any]]:
        """Records in config.json how the run is executed from a step on.

        Args:
          step: Number of steps done.
          segment: What may change when a run resumes, such as the number of
            replicas.

        Returns:
          What has changed, with the values before and now.
        """
        content = json.loads(self._config.read_text())
        # Later segments are repeated now.
        segments = [s for s in content["segments"] if s["step"] < step]
        before = segments[-1] if segments else segment
        changes = {
            name: (before[name], value)
            for name, value in segment.items()
            if before[name] != value
        }
        if changes or not segments:
            content["segments"] = [*segments, {"step": step, **segment}]
            write_atomically(self._config, _to_json(content))
        return changes

    def _check_equal(self, section: str, wanted: dict[str, Any]) -> None:
        try:
            content = json.loads(self._config.read_text())
            if "segments" not in content:
                raise KeyError("segments")  # Version 1.0: other random numbers.
            found = content[section]
            differing = {k: found[k] for k in wanted if found[k] != wanted[k]}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._config} is not the configuration of a run of this"
                " version; choose another --workdir"
            ) from error
        if differing:
            raise InputError(
                f"{self._path} belongs to a run with another configuration: "
                + ", ".join(
                    f"{name} is {value!r} there and {wanted[name]!r} here"
                    for name, value in differing.items()
                )
                + "; choose another --workdir"
            )

    def write_model(self, model: keras.Model) -> None:
        """Writes model.keras and export/."""
        model_path = self._path / "model.keras"
        with replace_atomically(model_path) as partial:
            model.save(partial)
        with replace_atomically(self._path / "export") as partial:
            write_saved_model(model_path, partial)

    def write_results(self, results: dict[str, Any]) -> None:
        """Writes results.json, the last file of a finished run."""
        write_atomically(self.results_path, _to_json(results))


def _to_json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
