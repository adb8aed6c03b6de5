"""The training run: prepare, go on, train, validate, save, test.

`train_and_evaluate` reads top to bottom like the run that it makes. All workers
do the same; the chief's run directory is the run's, and the others write theirs
to a place that is deleted at the end.
"""

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from trainer import cluster, console, dataset, input_pipeline, page, splits
from trainer.augmentation import Distortion
from trainer.checkpoints import Checkpoint, Position
from trainer.config import TrainConfig
from trainer.evaluation import evaluate
from trainer.learner import Learner
from trainer.metrics import Evaluation
from trainer.preemption import Preemption
from trainer.progress import Progress, Rate
from trainer.run_directory import RunDirectory, open_run
from trainer.sources import Splits, load_splits
from trainer.strategy import MULTI_WORKER, make_strategy

NUM_SAMPLES = 10
"""Predictions shown at the end, and pictures of each validation."""


def train_and_evaluate(config: TrainConfig) -> dict[str, Any]:
    """Runs a whole training, or what is left of it.

    Args:
      config: The settings.

    Returns:
      Content of the run directory's results.json; on another worker than the
      chief empty, if the run had ended before.

    Raises:
      InputError: If a setting or file can't be used.
      LostWorkerError: If another worker ended before its time.
      SystemExit: If SIGTERM or SIGINT came; the run can go on from there.
    """
    workers = None
    if config.strategy == MULTI_WORKER:
        workers = cluster.parse_tf_config(os.environ.get("TF_CONFIG"))
    is_chief = workers is None or workers.is_chief
    with contextlib.ExitStack() as stack:
        stack.enter_context(cluster.noticing_losses(workers))
        strategy = make_strategy(
            config.strategy, config.virtual_devices, workers
        )
        # TensorFlow's cluster takes SIGTERM for itself when it starts.
        preemption = stack.enter_context(Preemption())
        num_replicas = strategy.num_replicas_in_sync
        config.check_replicas(num_replicas)
        choice = dataset.choose_dataset(
            config.dataset, config.data_dir, config.manual_dir
        )
        if choice.warning:
            console.print_warning(choice.warning)
        builder = choice.builder
        config = config.resolve(builder.info.full_name)
        run = stack.enter_context(open_run(config.run_path, is_chief))
        run.check(config)
        if cluster.broadcast(strategy, [run.results is not None])[0]:
            print(f"This run has ended before: see {run.results_path}.")
            return run.results or {}
        digest = dataset.prepare_dataset(builder, config.manual_dir)
        total_steps = config.count_steps(
            builder.info.splits["train"].num_examples
        )
        data = load_splits(
            builder,
            input_name=config.input,
            train_source=config.train_source,
            manual_dir=config.manual_dir,
        )
        run.claim(config, digest, num_replicas)
        cluster.check_agreement(strategy, [config.what_decides(), digest])
        learner = Learner(
            config, strategy, dataset.get_shape(builder), total_steps
        )
        loop = Loop(
            config, strategy, learner, data, total_steps, run, preemption
        )
        loop.restore()
        console.print_start(
            config, num_replicas, learner.model, data, total_steps,
            loop.position.step,
        )  # fmt: skip
        loop.train()
        return loop.test(is_chief)


class Loop:
    """A run from its position on.

    Args:
      config: The resolved settings.
      strategy: The strategy.
      learner: What is trained.
      data: The splits by name.
      total_steps: Length of the run.
      run: Where to save.
      preemption: Says when to stop.

    Attributes:
      position: How far the run has come.
    """

    def __init__(
        self,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
        learner: Learner,
        data: Splits,
        total_steps: int,
        run: RunDirectory,
        preemption: Preemption,
    ) -> None:
        self.position = Position()
        self._config = config
        self._strategy = strategy
        self._learner = learner
        self._data = data
        self._total_steps = total_steps
        self._run = run
        self._preemption = preemption
        self._began = self._saved_at = time.monotonic()

    def restore(self) -> None:
        """Goes to the position of the chief's last checkpoint.

        Raises:
          InputError: If all checkpoints are damaged.
        """
        checkpoint, warnings = self._run.load_last_checkpoint()
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        position = checkpoint.position if checkpoint else Position()
        self.position = Position.from_numbers(
            cluster.broadcast(self._strategy, dataclasses.astuple(position))
        )
        if self.position.step:
            self._assign(checkpoint)

    def train(self) -> None:
        """Trains to the end, and validates now and then."""
        config = self._config
        self._began = time.monotonic() - self.position.seconds
        num_positions = self._learner.model.output_shape[1]
        distortion = Distortion(num_positions, config.recipe.distortion)
        batches = iter(
            self._strategy.distribute_datasets_from_function(
                lambda context: input_pipeline.make_train_dataset(
                    self._data["train"],
                    config.global_batch_size,
                    config.seed,
                    self.position.step,
                    context,
                    distortion,
                )
            )
        )
        self._saved_at = time.monotonic()
        with self._preemption.deferred():
            for end in config.find_validations(
                len(self._data["train"]), self._total_steps
            ):
                name = f"Epoch {self._find_epoch(end) + 1}/{config.epochs}"
                if self.position.step < end:
                    self._train_until(end, name, batches)
                if self.position.validated_step < end:
                    self._validate(name)

    def _find_epoch(self, step: int) -> int:
        """Returns the epoch that a step, counted from 1, begins in."""
        num_read = (step - 1) * self._config.global_batch_size
        return num_read // len(self._data["train"])

    def _train_until(self, end: int, name: str, batches: Iterator) -> None:
        config, step = self._config, self.position.step
        rate = Rate()
        with Progress(end - step, name, "steps") as progress:
            while step < end:
                self._run.profile(step, config.profile_steps)
                num_steps = config.find_break(step, end) - step
                with rate.measuring(num_steps * config.global_batch_size):
                    done = self._learner.train_steps(
                        batches,
                        tf.constant(num_steps),
                        tf.constant(self.position.sums),
                        tf.constant(float(self._preemption.requested)),
                    )
                    sums = done["sums"].numpy()
                rate.waited += num_steps * float(done["input_wait"])
                step += num_steps
                self.position = self.position.after_steps(step, sums)
                figures = self.position.means
                progress.advance(num_steps, **figures)
                if step == end or step % config.log_every_steps == 0:
                    line = {
                        **figures,
                        "learning_rate": self._learner.learning_rate,
                        **rate.take(),
                    }
                    self._log("train", line)
                    self.position = self.position.after_line()
                if done["stop"] > 0:
                    self._save()
                    self._preemption.stop(f"Step {step} is saved. ")
                seconds = time.monotonic() - self._saved_at
                if (
                    step % config.checkpoint_every_steps == 0
                    or seconds > config.checkpoint_every_seconds
                ):
                    self._save()

    def _validate(self, name: str) -> None:
        evaluation, logits, labels = self._evaluate("validation")
        self._log("validation", evaluation.as_dict())
        console.print_validation(name, evaluation)
        self.position = self.position.after_validation(
            evaluation.sequence_accuracy
        )
        predictions = logits.argmax(axis=-1)
        rows = np.flatnonzero((predictions != labels).any(axis=-1))
        rows = rows[:NUM_SAMPLES]
        self._run.write_pictures(
            self.position.step,
            splits.read_images(self._data["validation"], rows),
            console.describe_answers(labels[rows], predictions[rows]),
        )
        self._save()

    def test(self, is_chief: bool) -> dict[str, Any]:
        """Evaluates and exports the best model; the run has ended then.

        Args:
          is_chief: Whether to write the model and the results.

        Returns:
          The results.
        """
        best_step = self.position.best_step
        best = self._run.load_best_checkpoint(best_step) if is_chief else None
        self._assign(best)
        evaluation, logits, labels = self._evaluate("test")
        results = {
            "dataset": self._config.dataset,
            "split": "test",
            "step": best_step,
            **evaluation.as_dict(),
        }
        if is_chief:
            shown = page.choose_examples(labels, logits, self._data["test"])
            self._run.write_model(self._learner.model)
            self._run.write_predictions(shown)
            self._run.write_report(results)
            self._run.write_results(results)
        console.print_samples(logits[:NUM_SAMPLES], labels[:NUM_SAMPLES])
        console.print_end(self._config, best_step, evaluation)
        return results

    def _evaluate(
        self, split: Literal["validation", "test"]
    ) -> tuple[Evaluation, np.ndarray, np.ndarray]:
        predict_step = self._learner.predict_step
        return evaluate(self._strategy, predict_step, self._data[split], split)

    def _assign(self, checkpoint: Checkpoint | None) -> None:
        """Gives all workers the variables of the chief's checkpoint."""
        if checkpoint is not None:
            self._learner.assign_variables(checkpoint.arrays)
        names, values = zip(
            *self._learner.read_variables().items(), strict=True
        )
        values = cluster.broadcast(self._strategy, values)
        self._learner.assign_variables(dict(zip(names, values, strict=True)))

    def _log(self, split: str, figures: dict[str, Any]) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        self.position = dataclasses.replace(self.position, seconds=seconds)
        step = self.position.step
        head = {"step": step, "epoch": self._find_epoch(step), "split": split}
        self._run.append_metrics({**head, **figures, "seconds": seconds})

    def _save(self) -> None:
        self._run.save(self.position, self._learner.read_variables())
        self._saved_at = time.monotonic()
