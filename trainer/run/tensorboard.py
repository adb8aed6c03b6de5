"""TensorBoard's files: curves, hyperparameters, misread images, profiles."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from trainer.run.files import explain_write_errors

_CURVES, _SETTINGS = "curves", "settings"


class TensorBoardWriter:
    """Writes a file of curves per split, and a file of images per validation.

    A run that resumes from an earlier step therefore has no duplicate points:
    its curves are written again, and the images of a step replace older ones.

    All methods but `close` raise `InputError` if a file can't be written.

    Args:
      path: The directory; it need not exist.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._curves: dict[str, tf.summary.SummaryWriter] = {}
        self._is_profiling = False

    def restart(self, metrics: Sequence[dict[str, Any]]) -> None:
        """Writes the curves again, from the given lines of metrics."""
        self.close()
        with explain_write_errors(self._path):
            for path in self._path.glob(f"*/*.{_CURVES}"):
                path.unlink()
        for line in metrics:
            self.write_scalars(line)

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Writes what the HParams tab shows, in place of an earlier start's."""
        known = {k: v for k, v in settings.items() if v is not None}
        with explain_write_errors(self._path):
            for path in self._path.glob(f"*.{_SETTINGS}"):
                path.unlink()
            writer = tf.summary.create_file_writer(
                str(self._path), filename_suffix=f".{_SETTINGS}"
            )
            with writer.as_default():
                hparams.hparams_config(
                    hparams=[hparams.HParam(name) for name in known],
                    metrics=[
                        hparams.Metric(name, group="validation")
                        for name in ("sequence_accuracy", "loss")
                    ],
                )
                hparams.hparams(known)
            writer.close()

    def write_scalars(self, metrics: dict[str, Any]) -> None:
        """Adds the floats of one line of metrics to the curves."""
        split = metrics["split"]
        with explain_write_errors(self._path):
            if split not in self._curves:
                self._curves[split] = tf.summary.create_file_writer(
                    str(self._path / split), filename_suffix=f".{_CURVES}"
                )
            with self._curves[split].as_default(metrics["step"]):
                for name, value in metrics.items():
                    if isinstance(value, float):
                        tf.summary.scalar(name, value)

    def write_images(
        self, step: int, images: np.ndarray, captions: Sequence[str]
    ) -> None:
        """Writes misread images, with a table of their captions.

        Args:
          step: Number of steps done.
          images: uint8 [n, height, width, 1].
          captions: The caption of each image.
        """
        directory = self._path / "validation"
        with explain_write_errors(self._path):
            for path in directory.glob(f"*.step-{step}"):
                path.unlink()
            writer = tf.summary.create_file_writer(
                str(directory), filename_suffix=f".step-{step}"
            )
            with writer.as_default(step):
                tf.summary.image("misread", images, max_outputs=len(images))
                rows = "".join(f"\n| {c} |" for c in captions)
                tf.summary.text(
                    "misread", f"| actual, predicted |\n|---|{rows}"
                )
            writer.close()

    def profile(self, step: int, steps: tuple[int, int] | None) -> None:
        """Starts a profile at the first of `steps`, and stops it at the second.

        Args:
          step: Number of steps done.
          steps: When to start and stop; None for no profile.
        """
        if steps is None:
            return
        with explain_write_errors(self._path):
            if step == steps[0]:
                tf.profiler.experimental.start(str(self._path))
                self._is_profiling = True
            elif step == steps[1]:
                self._stop_profile()

    def _stop_profile(self) -> None:
        if self._is_profiling:
            self._is_profiling = False
            tf.profiler.experimental.stop()

    def close(self) -> None:
        """Flushes and closes all files, and stops a running profile."""
        self._stop_profile()
        for writer in self._curves.values():
            writer.close()
        self._curves = {}
