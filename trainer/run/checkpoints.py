"""Checkpoints: everything that a run needs to resume bit-exactly.

A checkpoint is one file. It is written under another name and then renamed, and
its name contains the digest of its content. A checkpoint is therefore complete,
absent, or recognisably damaged. It is a plain `.npz` file, independent of the
number of replicas.
"""

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from seqdigits_tfds import InputError

_NAME = re.compile(r"(step|best)-(\d+)\.([0-9a-f]{16})\.npz")
_TEXT = "text"


@dataclasses.dataclass(frozen=True)
class Position:
    """The progress of a run.

    Attributes:
      step: Number of steps done.
      line_step: The step of the last line of training metrics; 0 if there is
        none.
      loss_sum: Sum of the losses of the steps since then.
      accuracy_sum: Sum of the sequence accuracies of the steps since then.
      validated_step: The last step that was followed by a validation; -1 before
        the first validation.
      best_step: The last step whose sequence accuracy on `validation` is not
        significantly below the highest; -1 before the first validation.
      best_accuracy: The highest one; -1 before the first validation.
      sufficient_accuracy: The lower end of its 95 % confidence interval.
      seconds: Duration of training and validation so far.
    """

    step: int = 0
    line_step: int = 0
    loss_sum: float = 0.0
    accuracy_sum: float = 0.0
    validated_step: int = -1
    best_step: int = -1
    best_accuracy: float = -1.0
    sufficient_accuracy: float = -1.0
    seconds: float = 0.0

    @classmethod
    def from_numbers(cls, numbers: Iterable[Any]) -> Self:
        """Makes a position from the values of all fields, in order."""
        types = (type(value) for value in dataclasses.astuple(cls()))
        return cls(*(t(n) for t, n in zip(types, numbers, strict=True)))

    @property
    def sums(self) -> tuple[float, float]:
        """The sums `loss_sum` and `accuracy_sum`."""
        return self.loss_sum, self.accuracy_sum

    @property
    def means(self) -> dict[str, float]:
        """Mean loss and sequence accuracy since the last line of metrics."""
        num_steps = self.step - self.line_step
        return {
            "loss": self.loss_sum / num_steps,
            "sequence_accuracy": self.accuracy_sum / num_steps,
        }

    def after_steps(self, step: int, sums: np.ndarray) -> Self:
        """Returns the position after training until `step`."""
        loss_sum, accuracy_sum = sums.tolist()
        return dataclasses.replace(
            self, step=step, loss_sum=loss_sum, accuracy_sum=accuracy_sum
        )

    def after_line(self) -> Self:
        """Returns the position after a line of training metrics."""
        return dataclasses.replace(
            self, line_step=self.step, loss_sum=0.0, accuracy_sum=0.0
        )

    def after_validation(self, accuracy: float, low: float) -> Self:
        """Returns the position after a validation.

        Args:
          accuracy: The sequence accuracy.
          low: The lower end of its 95 % confidence interval.
        """
        position = dataclasses.replace(self, validated_step=self.step)
        if accuracy > self.best_accuracy:
            position = dataclasses.replace(
                position, best_accuracy=accuracy, sufficient_accuracy=low
            )
        if accuracy < position.sufficient_accuracy:
            return position
        return dataclasses.replace(position, best_step=self.step)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint.

    Attributes:
      position: The progress of the run.
      metrics: The content of metrics.jsonl up to this step.
      arrays: The values of all variables, by name.
    """

    position: Position
    metrics: str
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """The checkpoints of a run: the last few, and the best.

    Args:
      directory: The directory that contains them; it need not exist.
      keep: Number of most recent checkpoints to keep.
    """

    def __init__(self, directory: pathlib.Path, keep: int = 3) -> None:
        self._directory = directory
        self._keep = keep

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint, and deletes older ones.

        Raises:
          OSError: If it can't be written; the older ones are kept.
        """
        step = checkpoint.position.step
        best_step = checkpoint.position.best_step
        content = _to_bytes(checkpoint)
        self._directory.mkdir(parents=True, exist_ok=True)
        if step == best_step:
            # First, because the last checkpoint refers to the best one.
            self._write("best", step, content)
        self._write("step", step, content)
        kept = self._steps("step")[-self._keep :]
        for kind, found, path in self._files():
            if found != best_step if kind == "best" else found not in kept:
                path.unlink()

    def load_last(self) -> tuple[Checkpoint | None, list[str]]:
        """Loads the last undamaged checkpoint.

        Returns:
          The checkpoint, or None if there are no checkpoints; and a warning for
          each damaged one that was ignored.

        Raises:
          InputError: If there are checkpoints and all of them are damaged.
        """
        damaged: list[str] = []
        for step in reversed(self._steps("step")):
            checkpoint = self._load("step", step)
            if checkpoint is not None:
                return checkpoint, damaged
            damaged.append(
                f"The checkpoint of step {step} in {self._directory} is damaged"
                " and was ignored: its content is not what was saved."
            )
        if damaged:
            raise InputError(
                f"all {len(damaged)} checkpoints in {self._directory} are"
                " damaged: their content is not what was saved; restore them,"
                " or delete that directory to start the run again"
            )
        return None, damaged

    def load_best(self, step: int) -> Checkpoint:
        """Loads the best checkpoint.

        Args:
          step: Its step.

        Raises:
          InputError: If it is missing or damaged.
        """
        checkpoint = self._load("best", step) or self._load("step", step)
        if checkpoint is None:
            raise InputError(
                f"the best checkpoint in {self._directory}, of step {step}, is"
                " missing or damaged; restore it, or delete that directory to"
                " start the run again"
            )
        return checkpoint

    def _files(self) -> list[tuple[str, int, pathlib.Path]]:
        """Returns the kind, step and path of all checkpoints, by step."""
        if not self._directory.is_dir():
            return []
        matches = (
            (_NAME.fullmatch(path.name), path)
            for path in self._directory.iterdir()
        )
        found = [(m[1], int(m[2]), path) for m, path in matches if m]
        return sorted(found, key=lambda file: file[1:])

    def _steps(self, kind: str) -> list[int]:
        return sorted({step for k, step, _ in self._files() if k == kind})

    def _load(self, kind: str, step: int) -> Checkpoint | None:
        for path in [p for k, s, p in self._files() if (k, s) == (kind, step)]:
            content = path.read_bytes()
            if _digest(content) == path.name.split(".")[1]:
                return _from_bytes(content)
        return None

    def _write(self, kind: str, step: int, content: bytes) -> None:
        name = f"{kind}-{step:08d}.{_digest(content)}.npz"
        partial = self._directory / "partial.npz"
        try:
            partial.write_bytes(content)
            os.replace(partial, self._directory / name)
        finally:
            partial.unlink(missing_ok=True)
        for k, s, path in self._files():
            if (k, s) == (kind, step) and path.name != name:
                path.unlink()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _to_bytes(checkpoint: Checkpoint) -> bytes:
    text = json.dumps(
        {
            "position": dataclasses.asdict(checkpoint.position),
            "metrics": checkpoint.metrics,
        }
    )
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {_TEXT: np.array(text), **checkpoint.arrays}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _from_bytes(content: bytes) -> Checkpoint:
    arrays = dict(np.load(io.BytesIO(content)))
    text = json.loads(str(arrays.pop(_TEXT)))
    position = Position(**text["position"])
    return Checkpoint(position, text["metrics"], arrays)
