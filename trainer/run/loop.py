"""The training loop: restores a run, trains, validates, saves, and tests.

All workers run the same loop. The chief writes to the run directory, the others
to temporary directories.
"""

import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from seqdigits_tfds import InputError
from seqdigits_tfds.terminal import Progress
from trainer.config import TrainConfig
from trainer.data import pipeline
from trainer.data.sequences import to_text
from trainer.data.splits import Split
from trainer.distribution.collectives import broadcast
from trainer.model.inference import Predictions, predict_split
from trainer.model.metrics import Metrics, compute_metrics
from trainer.run import console
from trainer.run.checkpoints import Checkpoint, Position
from trainer.run.history import History
from trainer.run.learner import Learner
from trainer.run.preemption import Preemption
from trainer.run.schedule import Schedule
from trainer.run.throughput import Throughput

_NUM_MISREAD = 8
"""Maximum number of misread images of a validation that are given to
TensorBoard."""


class Loop:
    """A run that continues from its current position.

    Args:
      config: The resolved settings.
      strategy: The strategy.
      learner: The model and its optimizer.
      splits: The splits by name.
      read_glyph_ids: Returns the digit images of a split's examples; see
        `sequences.read_glyph_ids`.
      schedule: The steps of the run.
      history: Saves metrics and checkpoints.
      preemption: Tells whether to stop.

    Attributes:
      position: The progress of the run.
    """

    def __init__(
        self,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
        learner: Learner,
        splits: Mapping[str, Split],
        read_glyph_ids: Callable[[str], np.ndarray],
        schedule: Schedule,
        history: History,
        preemption: Preemption,
    ) -> None:
        self.position = Position()
        self._config = config
        self._strategy = strategy
        self._learner = learner
        self._splits = splits
        self._read_glyph_ids = read_glyph_ids
        self._schedule = schedule
        self._history = history
        self._preemption = preemption
        self._start_time = self._save_time = time.monotonic()

    def restore(self) -> None:
        """Moves to the position of the chief's last checkpoint.

        Raises:
          InputError: If all checkpoints are damaged, or have other variables.
        """
        checkpoint, warnings = self._history.restore()
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        position = checkpoint.position if checkpoint else Position()
        self.position = Position.from_numbers(
            broadcast(self._strategy, dataclasses.astuple(position))
        )
        if self.position.step:
            self._assign(checkpoint)

    def train(self) -> None:
        """Trains until the last step, with validations in between."""
        config = self._config
        self._start_time = time.monotonic() - self.position.seconds
        batches = iter(
            self._strategy.distribute_datasets_from_function(
                lambda context: pipeline.make_train_dataset(
                    self._splits["train"],
                    config.global_batch_size,
                    config.seed,
                    self.position.step,
                    context,
                )
            )
        )
        self._save_time = time.monotonic()
        with self._preemption.deferred():
            for end in self._schedule.validations:
                epoch = self._schedule.epoch_of(end) + 1
                name = f"Epoch {epoch}/{config.epochs}"
                if self.position.step < end:
                    self._train_until(end, name, batches)
                if self.position.validated_step < end:
                    self._validate(name)

    def _train_until(self, end: int, name: str, batches: Iterator) -> None:
        step = self.position.step
        throughput = Throughput()
        with Progress(end - step, name, "steps") as progress:
            while step < end:
                self._history.tensorboard.profile(
                    step, self._config.profile_steps
                )
                num_steps = self._schedule.next_break(step, end) - step
                num_images = num_steps * self._config.global_batch_size
                with throughput.measuring(num_images):
                    done = self._learner.train_steps(
                        batches,
                        tf.constant(num_steps),
                        tf.constant(self.position.sums),
                        tf.constant(float(self._preemption.requested)),
                    )
                    sums = done["sums"].numpy()
                throughput.input_wait += num_steps * float(
                    done["sampled_input_wait"]
                )
                step += num_steps
                self.position = self.position.after_steps(step, sums)
                progress.advance(num_steps, **self.position.means)
                if step == end or step % self._config.log_every_steps == 0:
                    self._log_training(throughput)
                if done["stop"] > 0:
                    self._save()
                    self._preemption.stop(f"Step {step} is saved. ")
                self._save_if_due()

    def _log_training(self, throughput: Throughput) -> None:
        line = {
            **self.position.means,
            "learning_rate": self._learner.learning_rate,
            **throughput.take(),
        }
        self._log("train", line)
        self.position = self.position.after_line()

    def _save_if_due(self) -> None:
        config = self._config
        seconds = time.monotonic() - self._save_time
        if (
            self.position.step % config.checkpoint_every_steps == 0
            or seconds > config.checkpoint_every_seconds
        ):
            self._save()

    def _validate(self, name: str) -> None:
        predictions, metrics = self.evaluate("validation")
        if not math.isfinite(metrics.loss):
            raise InputError(
                f"the training has diverged: after step {self.position.step},"
                f" the loss on validation is {metrics.loss}; choose a lower"
                " --learning_rate, and another --workdir"
            )
        figures = metrics.as_dict()
        low, _ = figures.pop("intervals")["sequence_accuracy"]
        self._log("validation", figures)
        console.print_validation(name, metrics)
        self.position = self.position.after_validation(
            metrics.sequence_accuracy, low
        )
        self._write_misread(predictions)
        self._save()

    def _write_misread(self, predictions: Predictions) -> None:
        labels = predictions.labels
        predicted = predictions.logits.argmax(axis=-1)
        num_classes = predictions.logits.shape[-1]
        rows = np.flatnonzero((predicted != labels).any(axis=-1))
        rows = rows[:_NUM_MISREAD]
        self._history.tensorboard.write_images(
            self.position.step,
            self._splits["validation"].read(rows)["image"].numpy(),
            [
                ", ".join(
                    to_text(sequences[row], num_classes)
                    for sequences in (labels, predicted)
                )
                for row in rows
            ],
        )

    def restore_best(self, is_chief: bool) -> None:
        """Restores the best checkpoint.

        Args:
          is_chief: Whether this worker has the checkpoints.

        Raises:
          InputError: If the best checkpoint is missing or damaged.
        """
        best_step = self.position.best_step
        best = self._history.load_best(best_step) if is_chief else None
        self._assign(best)

    def evaluate(self, split: str) -> tuple[Predictions, Metrics]:
        """Evaluates the model on a split.

        Returns:
          The predictions for all its examples, and their metrics.
        """
        predictions = predict_split(
            self._strategy,
            self._learner.predict_step,
            self._splits[split],
            split,
        )
        return predictions, compute_metrics(
            predictions.logits,
            predictions.labels,
            self._read_glyph_ids(split),
        )

    def _assign(self, checkpoint: Checkpoint | None) -> None:
        """Assigns the variables of the chief's checkpoint on all workers."""
        if checkpoint is not None:
            self._learner.assign_variables(checkpoint.arrays)
        names, values = zip(
            *self._learner.read_variables().items(), strict=True
        )
        values = broadcast(self._strategy, values)
        self._learner.assign_variables(dict(zip(names, values, strict=True)))

    def _log(self, split: str, figures: dict[str, Any]) -> None:
        seconds = round(time.monotonic() - self._start_time, 3)
        self.position = dataclasses.replace(self.position, seconds=seconds)
        step = self.position.step
        epoch = self._schedule.epoch_of(step)
        head = {"step": step, "epoch": epoch, "split": split}
        self._history.append({**head, **figures, "seconds": seconds})

    def _save(self) -> None:
        self._history.save(self.position, self._learner.read_variables())
        self._save_time = time.monotonic()
