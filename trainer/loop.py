"""Distributed training and evaluation.

`train_and_evaluate` reads top to bottom like the run it makes. One call of the
compiled training function runs many steps, so that the devices don't wait for
Python; the strategy divides each global batch among its replicas.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqdigits_tfds import InputError
from trainer import console, dataset, input_pipeline, metrics
from trainer.config import TrainConfig
from trainer.input_pipeline import Examples
from trainer.models import MODELS
from trainer.optimizer import make_optimizer
from trainer.progress import Progress
from trainer.run_directory import RunDirectory
from trainer.strategy import make_strategy

EVAL_BATCH_SIZE = 500
"""Images per evaluation step over all replicas. The figures don't depend on
it."""

NUM_SAMPLES = 10
"""Predictions shown at the end."""

TrainSteps = Callable[[Iterator, tf.Tensor], dict[str, tf.Tensor]]
PredictStep = Callable[[tuple], tuple[Any, Any]]


def train_and_evaluate(config: TrainConfig) -> dict[str, Any]:
    """Runs a whole training: prepare, train, validate, test, save.

    Args:
      config: The settings.

    Returns:
      Content of the run directory's results.json.

    Raises:
      InputError: If a setting or file can't be used; nothing was trained then.
    """
    strategy = make_strategy(config.strategy, config.virtual_devices)
    _check_divisible(config.global_batch_size, strategy.num_replicas_in_sync)
    choice = dataset.choose_dataset(
        config.dataset, config.data_dir, config.manual_dir
    )
    if choice.warning:
        console.print_warning(choice.warning)
    builder = choice.builder
    config = config.resolve(builder.info.full_name)
    run = RunDirectory(config.run_path)
    run.check(config)
    if run.results is not None:
        print(f"This run has ended before: {run.results_path} has its figures.")
        return run.results
    digest = dataset.prepare_dataset(builder, config.manual_dir)
    num_examples = builder.info.splits["train"].num_examples
    total_steps = _count_steps(config, num_examples)
    run.claim(config, digest)

    examples = {
        split: input_pipeline.load_examples(builder, split)
        for split in ("train", "validation", "test")
    }
    keras.utils.set_random_seed(config.seed)
    # The same weights from the same seed, at no cost that shows on a CPU.
    tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(config.precision)
    with strategy.scope():
        model = MODELS[config.model].build(dataset.get_shape(builder))
        optimizer = make_optimizer(config.recipe, total_steps)
        optimizer.build(model.trainable_variables)
    console.print_start(
        config, strategy.num_replicas_in_sync, model, examples, total_steps
    )
    train_steps = make_train_steps(
        strategy, model, optimizer, config.global_batch_size
    )
    predict_step = make_predict_step(strategy, model)
    _train(
        config,
        strategy,
        train_steps,
        lambda: evaluate(strategy, predict_step, examples["validation"])[0],
        examples["train"],
        total_steps,
        run,
    )
    evaluation, logits = evaluate(strategy, predict_step, examples["test"])
    run.write_model(model)
    results = {
        "dataset": config.dataset,
        "split": "test",
        "step": total_steps,
        **evaluation.as_dict(),
    }
    run.write_results(results)
    labels = examples["test"].labels.numpy()
    console.print_samples(logits[:NUM_SAMPLES], labels[:NUM_SAMPLES])
    console.print_end(config, total_steps, evaluation)
    return results


def make_train_steps(
    strategy: tf.distribute.Strategy,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    global_batch_size: int,
) -> TrainSteps:
    """Makes the compiled function that trains for some steps.

    Args:
      strategy: The strategy in whose scope model and optimizer were made.
      model: Takes images, gives logits.
      optimizer: Built for the model's variables.
      global_batch_size: Examples per step over all replicas.

    Returns:
      A function of a distributed iterator of (images, labels) and a number of
      steps, at least 1; gives the mean loss (as `metrics.Evaluation` defines
      it) and sequence accuracy over their examples.
    """

    def replica_step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels, logits
            )
            # Replicas' gradients are summed: dividing by the global batch
            # makes the sum the gradient of the global mean.
            loss = tf.reduce_sum(losses) / global_batch_size
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        right = tf.reduce_all(
            tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels,
            axis=1,
        )
        share_right = tf.reduce_sum(tf.cast(right, tf.float32))
        return tf.stack([loss, share_right / global_batch_size])

    @tf.function(reduce_retracing=True)
    def train_steps(
        iterator: Iterator, num_steps: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        totals = tf.zeros(2)
        for _ in tf.range(num_steps):
            per_replica = strategy.run(replica_step, args=next(iterator))
            totals += strategy.reduce(
                tf.distribute.ReduceOp.SUM, per_replica, axis=None
            )
        loss, sequence_accuracy = tf.unstack(
            totals / tf.cast(num_steps, tf.float32)
        )
        return {"loss": loss, "sequence_accuracy": sequence_accuracy}

    return train_steps


def make_predict_step(
    strategy: tf.distribute.Strategy, model: keras.Model
) -> PredictStep:
    """Makes the compiled function that predicts one evaluation batch.

    Returns:
      A function of one distributed element (rows, images); gives per replica
      the rows int64 [b] and their logits float32 [b, positions, classes].
    """

    @tf.function(reduce_retracing=True)
    def predict_step(element: tuple) -> tuple[Any, Any]:
        return strategy.run(
            lambda rows, images: (rows, model(images, training=False)),
            args=element,
        )

    return predict_step


def evaluate(
    strategy: tf.distribute.Strategy,
    predict_step: PredictStep,
    examples: Examples,
    global_batch_size: int = EVAL_BATCH_SIZE,
) -> tuple[metrics.Evaluation, np.ndarray]:
    """Evaluates on each example exactly once.

    Args:
      strategy: The strategy of `predict_step`.
      predict_step: From `make_predict_step`.
      examples: The split.
      global_batch_size: Images per step over all replicas, at least 1.

    Returns:
      The figures, and the logits float32 [n, positions, classes].
    """
    elements = strategy.distribute_datasets_from_function(
        lambda context: input_pipeline.make_eval_dataset(
            examples, global_batch_size, context
        )
    )
    seen = np.zeros(len(examples), np.int64)
    logits: np.ndarray | None = None
    for element in elements:
        for rows, batch in zip(
            *map(strategy.experimental_local_results, predict_step(element)),
            strict=True,
        ):
            real = rows.numpy() != input_pipeline.PADDING
            if logits is None:
                logits = np.empty((len(examples), *batch.shape[1:]), np.float32)
            logits[rows.numpy()[real]] = batch.numpy()[real]
            np.add.at(seen, rows.numpy()[real], 1)
    if logits is None or not (seen == 1).all():
        raise RuntimeError("an example was not evaluated exactly once")
    return metrics.evaluate_logits(logits, examples.labels.numpy()), logits


def _train(
    config: TrainConfig,
    strategy: tf.distribute.Strategy,
    train_steps: TrainSteps,
    validate: Callable[[], metrics.Evaluation],
    examples: Examples,
    total_steps: int,
    run: RunDirectory,
) -> None:
    batches = iter(
        strategy.distribute_datasets_from_function(
            lambda context: input_pipeline.make_train_dataset(
                examples, config.global_batch_size, config.seed, context
            )
        )
    )
    run.start_metrics()
    step = 0
    for epoch in range(config.recipe.epochs):
        # The first step by whose end every example of the epoch was read.
        end = -(-(epoch + 1) * len(examples) // config.global_batch_size)
        end = min(end, total_steps)
        if step == end:
            break
        name = f"Epoch {epoch + 1}/{config.recipe.epochs}"
        with Progress(end - step, name, "steps") as progress:
            while step < end:
                num_steps = min(
                    config.log_every_steps - step % config.log_every_steps,
                    end - step,
                )
                figures = train_steps(batches, tf.constant(num_steps))
                figures = {k: float(v) for k, v in figures.items()}
                step += num_steps
                run.append_metrics(
                    {"step": step, "epoch": epoch, "split": "train", **figures}
                )
                progress.advance(num_steps, **figures)
        evaluation = validate()
        run.append_metrics(
            {
                "step": step,
                "epoch": epoch,
                "split": "validation",
                **evaluation.as_dict(),
            }
        )
        console.print_validation(name, evaluation)


def _check_divisible(global_batch_size: int, num_replicas: int) -> None:
    if global_batch_size % num_replicas:
        raise InputError(
            "global_batch_size must be a multiple of the number of replicas,"
            f" got {global_batch_size} for {num_replicas}; try"
            f" {global_batch_size + -global_batch_size % num_replicas}"
        )


def _count_steps(config: TrainConfig, num_examples: int) -> int:
    if config.global_batch_size > num_examples:
        raise InputError(
            "global_batch_size must be at most the number of training examples,"
            f" {num_examples}, got {config.global_batch_size}"
        )
    steps = -(-config.recipe.epochs * num_examples // config.global_batch_size)
    return min(steps, config.max_steps or steps)
