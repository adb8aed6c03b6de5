"""The run directory: one configuration, and what its run leaves behind."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, Self

import filelock
import keras
import numpy as np
import tensorflow as tf

from seqdigits_tfds import InputError
from trainer.checkpoints import Checkpoint, Checkpoints, Position
from trainer.config import TrainConfig
from trainer.export import write_saved_model
from trainer.page import Predictions, make_page
from trainer.tensorboard import Board

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


def read_config(path: pathlib.Path) -> TrainConfig:
    """Reads the settings of a run.

    Args:
      path: Its run directory.

    Raises:
      InputError: If there is no run.
    """
    try:
        content = json.loads((path / "config.json").read_text())
        return TrainConfig(**content["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"workdir must be the directory of a run, got {str(path)!r}, where"
            " there is no config.json of one"
        ) from error


@contextlib.contextmanager
def open_run(path: pathlib.Path, is_chief: bool) -> Iterator["RunDirectory"]:
    """Opens the run directory.

    Args:
      path: Where the chief has it.
      is_chief: Whether this worker is the chief. Another one works in a
        directory that is deleted at the end, and prints nothing.
    """
    with contextlib.ExitStack() as stack:
        if not is_chief:
            nowhere = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
            scratch = stack.enter_context(tempfile.TemporaryDirectory())
            path = pathlib.Path(scratch)
        yield stack.enter_context(RunDirectory(path))


class RunDirectory:
    """The files of one run; a context manager, since it holds a lock.

    Args:
      path: The directory; it need not exist.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._config = path / "config.json"
        self._metrics = path / "metrics.jsonl"
        self._metrics_text = ""
        self._lock = filelock.FileLock(path / ".lock")
        self._checkpoints = Checkpoints(path / "checkpoints")
        self.results_path = path / "results.json"
        self.model_path = path / "model.keras"
        self.export_path = path / "export"
        self._predictions = path / "predictions.npz"
        self._report = path / "report"
        self._board_path = path / "tensorboard"
        self._board = Board(self._board_path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._board.close()
        self._lock.release()

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
            written to though its run has not ended.
        """
        if self._config.exists():
            self._check_equal("config", config.what_decides())
        if self.results is None:
            check_writable(self._path, "workdir")

    def claim(
        self, config: TrainConfig, dataset_digest: str, num_replicas: int
    ) -> None:
        """Makes the directory this run's own, by a lock and config.json.

        Args:
          config: The resolved settings.
          dataset_digest: SHA-256 of the dataset's records.
          num_replicas: Among which the global batch is divided.

        Raises:
          InputError: If it can't be written to, another process has it, or it
            holds a run with other settings, records or replicas.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise InputError(
                f"{self._path} is in use by another trainer; wait for its end,"
                " or choose another --workdir"
            ) from error
        sections: dict[str, dict[str, Any]] = {
            "dataset": {"name": config.dataset, "sha256": dataset_digest},
            "devices": {"num_replicas": num_replicas},
        }
        self.check(config)
        if self._config.exists():
            for name, content in sections.items():
                self._check_equal(name, content)
            return
        content = {
            "config": dataclasses.asdict(config),
            **sections,
            "versions": {
                "python": platform.python_version(),
                **{name: metadata.version(name) for name in _PACKAGES},
            },
        }
        self._write_whole(self._config, _to_json(content))

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

    def load_last_checkpoint(self) -> tuple[Checkpoint | None, list[str]]:
        """Loads what the run goes on from, and undoes what came after it.

        Returns:
          The last whole checkpoint, None if there is none; and a line for each
          damaged file that this does without.

        Raises:
          InputError: If there are checkpoints, and all are damaged.
        """
        checkpoint, warnings = self._checkpoints.load_last()
        text = checkpoint.metrics if checkpoint else ""
        found = self._metrics.read_bytes() if self._metrics.exists() else b""
        if not found.startswith(text.encode()):
            warnings.append(
                f"{self._metrics} is truncated or changed, and restored from"
                " the checkpoint."
            )
        self._write_whole(self._metrics, text.encode())
        self._metrics_text = text
        with self._explaining(self._board_path):
            self._board.restart([json.loads(x) for x in text.splitlines()])
        return checkpoint, warnings

    def load_best_checkpoint(self, step: int) -> Checkpoint:
        """As `Checkpoints.load_best`."""
        return self._checkpoints.load_best(step)

    def save(self, position: Position, arrays: dict[str, np.ndarray]) -> None:
        """Writes a checkpoint, with the metrics so far in it."""
        with self._explaining(self._path / "checkpoints"):
            self._checkpoints.save(
                Checkpoint(position, self._metrics_text, arrays)
            )

    def append_metrics(self, metrics: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl, and to TensorBoard's curves."""
        line = json.dumps(metrics) + "\n"
        with self._explaining(self._metrics), self._metrics.open("a") as file:
            file.write(line)
        self._metrics_text += line
        with self._explaining(self._board_path):
            self._board.write_scalars(metrics)

    def write_pictures(
        self, step: int, images: np.ndarray, captions: Sequence[str]
    ) -> None:
        """As `Board.write_pictures`."""
        with self._explaining(self._board_path):
            self._board.write_pictures(step, images, captions)

    def profile(self, step: int, steps: tuple[int, int] | None) -> None:
        """Begins a profile at the first of `steps`, ends it at the second."""
        if steps is not None:
            with self._explaining(self._board_path):
                self._board.profile(step == steps[0], step == steps[1])

    def write_model(self, model: keras.Model) -> None:
        """Writes model.keras and export/."""
        partial = self._path / "partial.keras"  # Keras wants this suffix.
        try:
            with self._explaining(self.model_path):
                model.save(partial)
                os.replace(partial, self.model_path)
        finally:
            partial.unlink(missing_ok=True)
        partial = self._path / "partial.export"
        try:
            with self._explaining(self.export_path):
                write_saved_model(self.model_path, partial)
                shutil.rmtree(self.export_path, ignore_errors=True)
                os.replace(partial, self.export_path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def write_predictions(self, predictions: Predictions) -> None:
        """Writes predictions.npz, of which reports are made."""
        file = io.BytesIO()
        np.savez_compressed(file, **dataclasses.asdict(predictions))
        self._write_whole(self._predictions, file.getvalue())

    def write_report(
        self, results: dict[str, Any] | None = None
    ) -> pathlib.Path:
        """Writes report/, and returns the path of its page.

        Args:
          results: Content of results.json; None: as it is.

        Raises:
          InputError: If the run has not ended, or files of it are missing.
        """
        try:
            with np.load(self._predictions) as arrays:
                predictions = Predictions(**arrays)
            html, svgs = make_page(
                json.loads(self._config.read_text()),
                [json.loads(line) for line in self._metrics.open()],
                results or json.loads(self.results_path.read_text()),
                predictions,
            )
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            zipfile.BadZipFile,
        ) as error:
            raise InputError(
                "workdir must be the directory of a run that has ended, got"
                f" {str(self._path)!r} ({error})"
            ) from error
        with self._explaining(self._report):
            self._report.mkdir(exist_ok=True)
        for name, svg in svgs.items():
            self._write_whole(self._report / name, svg)
        self._write_whole(self._report / "index.html", html.encode())
        return self._report / "index.html"

    def write_results(self, results: dict[str, Any]) -> None:
        """Writes results.json: the last file of a run that has ended."""
        self._write_whole(self.results_path, _to_json(results))

    def _write_whole(self, path: pathlib.Path, content: bytes) -> None:
        # Whoever looks finds the old file or the new one, never half of it.
        partial = path.with_name(f"partial.{path.name}")
        try:
            with self._explaining(path):
                partial.write_bytes(content)
                os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explaining(self, path: pathlib.Path) -> Iterator[None]:
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            # TensorFlow's messages may have more lines than one.
            reason = getattr(error, "strerror", None) or " ".join(
                str(error).split()
            )
            raise InputError(
                f"{path} can't be written ({reason}); free space or mend this,"
                " and start the same command again: it goes on from the last"
                " checkpoint"
            ) from error


def _to_json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
