"""The records that a run keeps: metrics, curves and checkpoints.

A checkpoint contains the metrics up to its step. Restoring it therefore
restores metrics.jsonl and TensorBoard's curves as well, so all three agree.
"""

import json
import pathlib
from typing import Any

import numpy as np

from trainer.run.checkpoints import Checkpoint, Checkpoints, Position
from trainer.run.files import explain_write_errors, write_atomically
from trainer.run.tensorboard import TensorBoardWriter


class History:
    """The metrics, TensorBoard files and checkpoints in a run directory.

    Args:
      path: The run directory; it need not exist.

    Attributes:
      tensorboard: Writes TensorBoard's files.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._metrics = path / "metrics.jsonl"
        self._text = ""
        self._checkpoints_path = path / "checkpoints"
        self._checkpoints = Checkpoints(self._checkpoints_path)
        self.tensorboard = TensorBoardWriter(path / "tensorboard")

    def restore(self) -> tuple[Checkpoint | None, list[str]]:
        """Loads the last checkpoint, and discards all metrics after it.

        Returns:
          The last undamaged checkpoint, or None if there are no checkpoints;
          and a warning for each damaged file that was replaced or ignored.

        Raises:
          InputError: If there are checkpoints and all of them are damaged.
        """
        checkpoint, warnings = self._checkpoints.load_last()
        self._text = checkpoint.metrics if checkpoint else ""
        content = self._text.encode()
        found = self._metrics.read_bytes() if self._metrics.exists() else b""
        if not found.startswith(content):
            warnings.append(
                f"{self._metrics} is truncated or changed; it was restored from"
                " the checkpoint."
            )
        write_atomically(self._metrics, content)
        self.tensorboard.restart(
            [json.loads(line) for line in self._text.splitlines()]
        )
        return checkpoint, warnings

    def load_best(self, step: int) -> Checkpoint:
        """See `Checkpoints.load_best`."""
        return self._checkpoints.load_best(step)

    def append(self, metrics: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl and one point to each curve."""
        line = json.dumps(metrics) + "\n"
        with (
            explain_write_errors(self._metrics),
            self._metrics.open("a") as file,
        ):
            file.write(line)
        self._text += line
        self.tensorboard.write_scalars(metrics)

    def save(self, position: Position, arrays: dict[str, np.ndarray]) -> None:
        """Writes a checkpoint, which includes all metrics so far."""
        with explain_write_errors(self._checkpoints_path):
            self._checkpoints.save(Checkpoint(position, self._text, arrays))
