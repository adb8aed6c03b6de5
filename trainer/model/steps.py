"""Compiles the steps of training and evaluation."""

import time
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

TrainSteps = Callable[..., dict[str, tf.Tensor]]
PredictStep = Callable[[tuple], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]

Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Changes a replica's training images, on its device.

A function of images uint8 [b, height, width, channels] and their positions in
the run, int64 [b], consecutive. It returns images of the same shape and dtype.
Noise must be a function of a seed and the position (see `randomness.draw`):
then it does not depend on the number of replicas or on where a run resumes.
"""


def make_train_steps(
    strategy: tf.distribute.Strategy,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    global_batch_size: int,
    augment: Augment,
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
) -> TrainSteps:
    """Makes the compiled function that takes some training steps.

    Args:
      strategy: The strategy in whose scope all variables were created.
      model: Maps images to the logits of an ensemble's members, [b, members,
        positions, classes]. Members are trained independently; loss and
        accuracy are means over the members.
      optimizer: Built for the model's variables.
      global_batch_size: Number of examples per step over all replicas.
      augment: Changes the images before the model reads them.
      label_smoothing: See `optimizer.Recipe`.
      temperature: See `optimizer.Recipe`.

    Returns:
      A function of a distributed iterator of `pipeline.make_train_dataset`,
      whose examples have an "image" and a "label"; the number of steps, int32
      []; the sums so far, float32 [2]; and whether this worker wants to stop,
      float32 [], 0 or 1. It returns a dict: `sums`, to which each step
      has added its mean loss (that of `metrics.Metrics`, with smoothed labels
      and divided logits, plus the model's own losses) and its sequence
      accuracy; `stop`, above 0 if any worker wanted to stop; and
      `sampled_input_wait`, float64 [], the seconds that the last step waited
      for its batch.
    """
    variables = model.trainable_variables

    def compute_gradients(
        images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[list[tf.Tensor | None], list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            _, num_members, _, num_classes = logits.shape
            labels = tf.repeat(labels[:, None], num_members, axis=1)
            wanted = tf.one_hot(
                labels,
                num_classes,
                on_value=1 - label_smoothing * (1 - 1 / num_classes),
                off_value=label_smoothing / num_classes,
            )
            losses = tf.nn.softmax_cross_entropy_with_logits(
                wanted, logits / temperature
            )
            # The gradients of the replicas are summed. Dividing by the global
            # batch size makes the sum the gradient of the global mean. As in
            # Keras, the model's own losses are the mean over the replicas.
            loss = tf.reduce_sum(losses) / global_batch_size
            penalty = sum(tf.cast(own, tf.float32) for own in model.losses)
            loss += penalty / strategy.num_replicas_in_sync
            loss /= num_members
            # Each member gets the gradient that it would get alone.
            scaled_loss = optimizer.scale_loss(loss * num_members)
        correct = tf.reduce_all(
            tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels,
            axis=2,
        )
        num_correct = tf.reduce_sum(tf.cast(correct, tf.float32))
        return (
            tape.gradient(scaled_loss, variables),
            [loss, num_correct / (global_batch_size * num_members)],
        )

    # A LossScaleOptimizer checks for overflow before it sums over the replicas.
    # Summing first makes the check cover the global batch.
    sum_first = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

    def sum_over_replicas(
        gradients: list[tf.Tensor | None],
    ) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        gradients = [
            tf.zeros_like(variable.value) if gradient is None else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        # The optimizer sums over the replicas again.
        return [g / strategy.num_replicas_in_sync for g in gradients]

    def replica_step(
        positions: tf.Tensor,
        examples: dict[str, tf.Tensor],
        stop: tf.Tensor,
        wait: tf.Tensor,
    ) -> tf.Tensor:
        # On a single core, the clock would be read after the computation.
        with tf.control_dependencies([wait]):
            images = tf.identity(examples["image"])
        images = augment(images, positions)
        gradients, figures = compute_gradients(images, examples["label"])
        if sum_first:
            gradients = sum_over_replicas(gradients)
        optimizer.apply(gradients, variables)
        return tf.stack([*figures, stop])

    @tf.function(reduce_retracing=True)
    def train_steps(
        iterator: Iterator,
        num_steps: tf.Tensor,
        sums: tf.Tensor,
        stop: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        sampled_wait = tf.constant(0.0, tf.float64)
        totals = tf.concat([sums, [0.0]], axis=0)
        for index in tf.range(num_steps):
            is_last = tf.equal(index, num_steps - 1)
            # The first layer is updated last, at the end of a step. The wait
            # for the next batch begins after that.
            with tf.control_dependencies([tf.identity(variables[0].value)]):
                asked = _read_clock_if(is_last)
            with tf.control_dependencies([asked]):
                batch = next(iterator)
            with tf.control_dependencies(
                tf.nest.flatten(batch, expand_composites=True)
            ):
                sampled_wait += _read_clock_if(is_last) - asked
            per_replica = strategy.run(
                replica_step, args=(*batch, stop, sampled_wait)
            )
            totals += strategy.reduce(
                tf.distribute.ReduceOp.SUM, per_replica, axis=None
            )
        return {
            "sums": totals[:2],
            "stop": totals[2],
            "sampled_input_wait": sampled_wait,
        }

    return train_steps


def _read_clock_if(condition: tf.Tensor) -> tf.Tensor:
    """Returns a clock's seconds, float64 [], if `condition`, and 0 otherwise.

    This is Python's clock: `tf.timestamp` can't be used with deterministic ops.
    Calling Python in every step would slow down fast steps.
    """
    return tf.cond(
        condition,
        lambda: tf.ensure_shape(
            tf.numpy_function(time.perf_counter, [], tf.float64), []
        ),
        lambda: tf.constant(0.0, tf.float64),
    )


def make_predict_step(
    strategy: tf.distribute.Strategy, model: keras.Model
) -> PredictStep:
    """Makes the compiled function that predicts one evaluation batch.

    Args:
      strategy: The strategy in whose scope the model was built.
      model: Maps images to logits.

    Returns:
      A function of one distributed element of `pipeline.make_eval_dataset`,
      whose examples have an "image" and a "label". It returns the whole global
      batch's rows int64 [b], labels int64 [b, positions] and logits float32 [b,
      positions, classes], on each worker.
    """

    @tf.function(reduce_retracing=True)
    def predict_step(
        element: tuple,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        per_replica = strategy.run(
            lambda rows, examples: (
                rows,
                examples["label"],
                model(examples["image"], training=False),
            ),
            args=element,
        )
        return tuple(strategy.gather(part, axis=0) for part in per_replica)

    return predict_step
