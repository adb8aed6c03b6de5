"""Splits -> batches on the devices.

Which examples make batch k is a pure function of (seed, k): it depends neither
on threads, nor on how many replicas or workers share the batch, nor on the step
at which reading starts. So there is no state of the input to save: a run that
goes on from step k asks for the batches from k on.

Training and evaluation want opposite things, hence two functions: an endless,
shuffled stream of full batches, and each example exactly once, in order.
"""

from collections.abc import Callable

import tensorflow as tf

from trainer.augmentation import Distortion
from trainer.splits import Split, TrainSplit, decode_ahead

Decode = Callable[..., tuple[tf.Tensor, ...]]

PADDING = -1
"""Row number of an element that only fills up the last evaluation batch."""


def make_train_dataset(
    split: TrainSplit,
    global_batch_size: int,
    seed: int,
    start_step: int = 0,
    context: tf.distribute.InputContext | None = None,
    distortion: Distortion | None = None,
) -> tf.data.Dataset:
    """Makes the endless stream of training batches of one input pipeline.

    Global batch k holds elements k * global_batch_size and following of the
    shuffled epochs put end to end. An epoch has each example of the split once;
    where the split's size is no multiple of the batch, a batch has the end of
    one epoch and the start of the next.

    Args:
      split: The training split.
      global_batch_size: Examples per step over all replicas, which must divide
        it.
      seed: Determines the order of each epoch, and its distortions.
      start_step: The first global batch to read.
      context: Which replicas this pipeline feeds; None: one replica in all.
      distortion: What to do to images, each time at random; None: nothing.

    Returns:
      Elements (images uint8 [b, height, width, 1], labels int64 [b,
      positions]), b = global_batch_size / replicas: one element for each of
      the pipeline's replicas, in turn.
    """
    context = context or tf.distribute.InputContext()
    worker_batch_size = global_batch_size // context.num_input_pipelines
    keys = split.shuffle(seed, start_step * global_batch_size)
    decode: Decode = split.decode
    if distortion is not None and distortion.strength > 0:
        # Drawn for whole global batches and dealt out with the keys: what is
        # done to an example does not depend on who shares its batch.
        moves = tf.data.Dataset.counter(start_step).map(
            lambda step: distortion.draw(seed, step, global_batch_size)
        )
        keys = tf.data.Dataset.zip(keys.rebatch(global_batch_size), moves)
        decode = _decode_with(split, distortion)
    # Cuts the epochs into global batches, of which worker w takes the w-th
    # part, and then into its replicas' parts. Other orders would deal out other
    # examples.
    parts = (
        keys.rebatch(worker_batch_size)
        .shard(context.num_input_pipelines, context.input_pipeline_id)
        .rebatch(
            context.get_per_replica_batch_size(global_batch_size),
            drop_remainder=True,  # There is none, but so the shape is known.
        )
    )
    return decode_ahead(parts, decode)


def make_eval_dataset(
    split: Split,
    global_batch_size: int,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Makes the stream that has each example once, of one input pipeline.

    All batches are full, so that all replicas always have the same to do: the
    last ones are filled up with elements whose row is `PADDING`.

    Args:
      split: The split to evaluate.
      global_batch_size: Examples per step over all replicas; rounded up to a
        multiple of their number.
      context: Which replicas this pipeline feeds; None: one replica in all.

    Returns:
      Elements (rows int64 [b], images uint8 [b, height, width, 1], labels int64
      [b, positions]), one for each of the pipeline's replicas, in turn.
    """
    context = context or tf.distribute.InputContext()
    num_replicas = context.num_replicas_in_sync
    step_size = _round_up(global_batch_size, num_replicas)
    num_rows = _round_up(len(split), step_size)
    rows = tf.data.Dataset.range(num_rows).map(
        lambda row: tf.where(row < len(split), row, PADDING)
    )
    filling = split.in_order().take(1).repeat(num_rows - len(split))
    keys = (
        tf.data.Dataset.zip(rows, split.in_order().concatenate(filling))
        .batch(step_size // context.num_input_pipelines)
        .shard(context.num_input_pipelines, context.input_pipeline_id)
        .rebatch(step_size // num_replicas, drop_remainder=True)
    )
    return decode_ahead(keys, lambda row, key: (row, *split.decode(key)))


def _decode_with(split: TrainSplit, distortion: Distortion) -> Decode:
    def decode(
        keys: tf.Tensor, moves: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = split.decode(keys)
        return distortion.apply(images, moves), labels

    return decode


def _round_up(size: int, multiple: int) -> int:
    return size + -size % multiple
