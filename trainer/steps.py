"""The compiled functions: what each replica does in a step, and many steps."""

import time
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

TrainSteps = Callable[..., dict[str, tf.Tensor]]
PredictStep = Callable[[tuple], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]


def make_train_steps(
    strategy: tf.distribute.Strategy,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    global_batch_size: int,
    *,
    clip_norm: float | None = None,
    jit: bool = False,
) -> TrainSteps:
    """Makes the compiled function that trains for some steps.

    Args:
      strategy: The strategy in whose scope all variables were made.
      model: Takes images, gives the logits of an ensemble's members, [b,
        members, positions, classes]. Each member learns by itself; loss and
        accuracy are the mean of theirs.
      optimizer: Built for the model's variables.
      global_batch_size: Examples per step over all replicas.
      clip_norm: As `optimizer.Recipe.clip_norm`.
      jit: Whether XLA compiles the forward and backward pass.

    Returns:
      A function of a distributed iterator of (images, labels), a number of
      steps int64 [], the sums so far float32 [2], and whether this worker wants
      to stop, float32 []. It gives a dict: `sums`, to which each step has added
      its mean loss (as `metrics.Evaluation` defines it) and sequence accuracy;
      `stop`, above 0 if any worker wanted to stop; `input_wait`, the seconds
      that the last step waited for its batch, float64.
    """
    variables = model.trainable_variables

    def compute_gradients(
        images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            num_members = logits.shape[1]
            labels = tf.repeat(labels[:, None], num_members, axis=1)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels, logits
            )
            # Replicas' gradients are summed: dividing by the global batch
            # makes the sum the gradient of the global mean.
            loss = tf.reduce_sum(losses) / (global_batch_size * num_members)
            # Each member's gradient is as large as if it learned alone.
            scaled_loss = optimizer.scale_loss(loss * num_members)
        right = tf.reduce_all(
            tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels,
            axis=2,
        )
        num_right = tf.reduce_sum(tf.cast(right, tf.float32))
        return (
            tape.gradient(scaled_loss, variables),
            [loss, num_right / (global_batch_size * num_members)],
        )

    if jit:
        compute_gradients = tf.function(compute_gradients, jit_compile=True)

    def sum_over_replicas(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        if clip_norm is not None:
            scale = optimizer.scale_loss(tf.constant(1.0))
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm * scale)
        # The optimizer sums once more.
        return [g / strategy.num_replicas_in_sync for g in gradients]

    # Keras clips, and looks for overflow, before it sums over the replicas. But
    # what counts is the gradient of the global batch, not that of a replica.
    sum_first = clip_norm is not None or isinstance(
        optimizer, keras.optimizers.LossScaleOptimizer
    )

    def replica_step(
        images: tf.Tensor, labels: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        gradients, figures = compute_gradients(images, labels)
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
        input_wait = tf.constant(0.0, tf.float64)
        totals = tf.concat([sums, [0.0]], axis=0)
        for index in tf.range(num_steps):
            is_last = tf.equal(index, num_steps - 1)
            # The first layer's update ends a step: waiting begins after it.
            with tf.control_dependencies([tf.identity(variables[0].value)]):
                asked = _read_clock_if(is_last)
            with tf.control_dependencies([asked]):
                batch = next(iterator)
            with tf.control_dependencies(
                tf.nest.flatten(batch, expand_composites=True)
            ):
                input_wait += _read_clock_if(is_last) - asked
            per_replica = strategy.run(replica_step, args=(*batch, stop))
            totals += strategy.reduce(
                tf.distribute.ReduceOp.SUM, per_replica, axis=None
            )
        return {
            "sums": totals[:2],
            "stop": totals[2],
            "input_wait": input_wait,
        }

    return train_steps


def _read_clock_if(condition: tf.Tensor) -> tf.Tensor:
    """Returns the seconds of a clock, float64 []; 0 where it is not read.

    Python's clock, since TensorFlow's is refused beside deterministic ops;
    asking Python in each step would make fast steps slower.
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

    Returns:
      A function of one distributed element (rows, images, labels) of
      `input_pipeline.make_eval_dataset`; gives the whole global batch's rows
      int64 [b], labels int64 [b, positions] and logits float32 [b, positions,
      classes], on each worker.
    """

    @tf.function(reduce_retracing=True)
    def predict_step(
        element: tuple,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        per_replica = strategy.run(
            lambda rows, images, labels: (
                rows,
                labels,
                model(images, training=False),
            ),
            args=element,
        )
        return tuple(strategy.gather(part, axis=0) for part in per_replica)

    return predict_step
