"""Makes the batches that each replica trains on or evaluates.

Global batch k is a pure function of (seed, k). It depends neither on threads,
nor on the number of replicas and workers that share it, nor on the step at
which reading starts. The input therefore has no state to save: a run that
resumes at step k asks for the batches from k on.

Training and evaluation need opposite things, hence two functions: an endless,
shuffled stream of full batches, and each example exactly once, in order.
"""

from collections.abc import Callable

import tensorflow as tf

from trainer.data.decoding import decode_ahead
from trainer.data.distortion import Distortion
from trainer.data.splits import Split, TrainSplit

Decode = Callable[..., tuple[tf.Tensor, ...]]

PADDING = -1
"""Row number of an element that only fills a last evaluation batch."""


def make_train_dataset(
    split: TrainSplit,
    global_batch_size: int,
    seed: int,
    start_step: int = 0,
    context: tf.distribute.InputContext | None = None,
    distortion: Distortion | None = None,
) -> tf.data.Dataset:
    """Makes one input pipeline's endless stream of training batches.

    Global batch k holds the elements from k * global_batch_size on of the
    concatenation of all shuffled epochs. An epoch of a stored split has each
    example once. If the batch size does not divide the size of the split, some
    batches contain the end of one epoch and the start of the next.

    Args:
      split: The training split.
      global_batch_size: Number of examples per step over all replicas; a
        multiple of the number of replicas.
      seed: Determines the order of each epoch and the distortions.
      start_step: Index of the first global batch to read.
      context: The replicas that this pipeline feeds; None for a single replica.
      distortion: Distorts each image; None to leave the images unchanged.

    Returns:
      A dataset of (images uint8 [b, height, width, 1], labels int64 [b,
      positions]) with b = global_batch_size / replicas: one element for each of
      the pipeline's replicas, in turn.
    """
    context = context or tf.distribute.InputContext()
    worker_batch_size = global_batch_size // context.num_input_pipelines
    keys = split.shuffle(seed, start_step * global_batch_size)
    decode: Decode = split.decode
    if distortion is not None and distortion.strength > 0:
        # Moves are drawn for whole global batches and distributed with the
        # keys, so that they don't depend on how a batch is divided.
        moves = tf.data.Dataset.counter(start_step).map(
            lambda step: distortion.draw(seed, step, global_batch_size)
        )
        keys = tf.data.Dataset.zip(keys.rebatch(global_batch_size), moves)
        decode = _decode_and_distort(split, distortion)
    # The first rebatch cuts each global batch into one part per worker, the
    # second one cuts a worker's part into one part per replica. In any other
    # order, the replicas would receive other examples.
    parts = (
        keys.rebatch(worker_batch_size)
        .shard(context.num_input_pipelines, context.input_pipeline_id)
        .rebatch(
            context.get_per_replica_batch_size(global_batch_size),
            # Never drops anything; makes the shape static.
            drop_remainder=True,
        )
    )
    return decode_ahead(parts, decode)


def make_eval_dataset(
    split: Split,
    global_batch_size: int,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Makes one input pipeline's stream of evaluation batches.

    The stream has each example exactly once. All batches are full, so that all
    replicas take the same number of steps: the last batches are padded with
    elements whose row is `PADDING`.

    Args:
      split: The split to evaluate.
      global_batch_size: Number of examples per step over all replicas; rounded
        up to a multiple of the number of replicas.
      context: The replicas that this pipeline feeds; None for a single replica.

    Returns:
      A dataset of (rows int64 [b], images uint8 [b, height, width, 1], labels
      int64 [b, positions]): one element for each of the pipeline's replicas, in
      turn.
    """
    context = context or tf.distribute.InputContext()
    num_replicas = context.num_replicas_in_sync
    step_size = _round_up(global_batch_size, num_replicas)
    num_rows = _round_up(len(split), step_size)
    rows = tf.data.Dataset.range(num_rows).map(
        lambda row: tf.where(row < len(split), row, PADDING)
    )
    padding = split.in_order().take(1).repeat(num_rows - len(split))
    keys = (
        tf.data.Dataset.zip(rows, split.in_order().concatenate(padding))
        .batch(step_size // context.num_input_pipelines)
        .shard(context.num_input_pipelines, context.input_pipeline_id)
        .rebatch(step_size // num_replicas, drop_remainder=True)
    )
    return decode_ahead(keys, lambda row, key: (row, *split.decode(key)))


def _decode_and_distort(split: TrainSplit, distortion: Distortion) -> Decode:
    def decode(
        keys: tf.Tensor, moves: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = split.decode(keys)
        return distortion.apply(images, moves), labels

    return decode


def _round_up(size: int, multiple: int) -> int:
    return size + -size % multiple
