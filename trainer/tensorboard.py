"""TensorBoard's files: curves, and pictures of what is misread."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_CURVES = "curves"
_MAX_PICTURES = 8


class Board:
    """Writes the curves to one file, and each evaluation's pictures to another.

    So that a run that goes on from an earlier step has no point twice: the
    curves are written anew, and pictures of a step replace those of that step.

    Args:
      path: The directory; it need not exist.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._curves: dict[str, tf.summary.SummaryWriter] = {}
        self._profiling = False

    def restart(self, metrics: Sequence[dict[str, Any]]) -> None:
        """Begins the curves again, with the given lines of metrics."""
        self.close()
        for path in self._path.glob(f"*/*.{_CURVES}"):
            path.unlink()
        for line in metrics:
            self.write_scalars(line)

    def write_scalars(self, metrics: dict[str, Any]) -> None:
        """Adds the numbers of one line of metrics to the curves."""
        split = metrics["split"]
        if split not in self._curves:
            self._curves[split] = tf.summary.create_file_writer(
                str(self._path / split), filename_suffix=f".{_CURVES}"
            )
        with self._curves[split].as_default(metrics["step"]):
            for name, value in metrics.items():
                if isinstance(value, float):
                    tf.summary.scalar(name, value)

    def write_pictures(
        self, step: int, images: np.ndarray, captions: Sequence[str]
    ) -> None:
        """Writes pictures with a table of what they are said to show.

        Args:
          step: After which step.
          images: uint8 [n, height, width, 1]; the first few are written.
          captions: One for each image.
        """
        directory = self._path / "validation"
        for path in directory.glob(f"*.step-{step}"):
            path.unlink()
        writer = tf.summary.create_file_writer(
            str(directory), filename_suffix=f".step-{step}"
        )
        with writer.as_default(step):
            tf.summary.image("misread", images, max_outputs=_MAX_PICTURES)
            rows = "".join(f"\n| {c} |" for c in captions[:_MAX_PICTURES])
            tf.summary.text("misread", f"| actual, predicted |\n|---|{rows}")
        writer.close()

    def profile(self, begin: bool, end: bool) -> None:
        """Begins or ends a profile of what the devices do."""
        if begin:
            tf.profiler.experimental.start(str(self._path))
            self._profiling = True
        if end and self._profiling:
            self._profiling = False
            tf.profiler.experimental.stop()

    def close(self) -> None:
        """Ends all files."""
        self.profile(begin=False, end=True)
        for writer in self._curves.values():
            writer.close()
        self._curves = {}
