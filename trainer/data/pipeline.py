"""Makes the batches that each replica trains on or evaluates.

A run trains on the positions 0, 1, 2, ... Global batch k consists of
`global_batch_size` consecutive positions; each replica has a slice of them. A
position belongs to an epoch and a place in it, which give a row, which gives an
example. None of this depends on anything that was read before. The input
therefore has no state to save: a run that resumes at step k, on any number of
replicas, asks for the batches from k on.

Training and evaluation need opposite things, hence two functions: an endless,
shuffled stream of full batches, and each example exactly once, in order.
"""

import tensorflow as tf

from trainer.data.splits import Split, map_ahead

PADDING = -1
"""Row number of an element that only fills a last evaluation batch."""

_POSITIONS_AT_ONCE = 8192
"""Number of positions whose rows are computed together. A call for each batch
of 128 would take a fifth more processor time."""


def make_train_dataset(
    split: Split,
    global_batch_size: int,
    seed: int,
    start_step: int = 0,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Makes one input pipeline's endless stream of training batches.

    Global batch k has the positions from k * global_batch_size on. An epoch of
    a stored split has each example once. If the batch size does not divide the
    size of the split, some batches contain the end of one epoch and the start
    of the next.

    Args:
      split: The training split.
      global_batch_size: Number of examples per step over all replicas; a
        multiple of the number of replicas.
      seed: Determines the order of each epoch, 0..2**32 - 1.
      start_step: Index of the first global batch to read.
      context: The replicas that this pipeline feeds; None for a single replica.

    Returns:
      A dataset of (positions int64 [b], examples) with b = global_batch_size /
      replicas: one element for each of the pipeline's replicas, in turn. The
      positions of an element are consecutive; use them to key random
      augmentation. `examples` has a tensor [b, ...] for each feature.
    """
    steps_at_once = max(1, _POSITIONS_AT_ONCE // global_batch_size)

    def find_rows(call: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        first_step = start_step + call * steps_at_once
        positions = _take_part(
            first_step, steps_at_once, global_batch_size, context
        )
        rows = split.order(seed, tf.reshape(positions, [-1]))
        return positions, tf.reshape(rows, tf.shape(positions))

    # `Dataset.counter` would trace a function.
    rows = tf.data.Dataset.range(tf.int64.max).map(find_rows).unbatch()
    return map_ahead(
        rows, lambda positions, rows: (positions, split.read(rows))
    )


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
      A dataset of (rows int64 [b], examples): one element for each of the
      pipeline's replicas, in turn. `examples` has a tensor [b, ...] for each
      feature.
    """
    num_replicas = context.num_replicas_in_sync if context else 1
    batch_size = -(-global_batch_size // num_replicas) * num_replicas
    num_steps = -(-len(split) // batch_size)

    def read(rows: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        is_real = rows < len(split)
        examples = split.read(tf.where(is_real, rows, 0))
        return tf.where(is_real, rows, PADDING), examples

    rows = (
        tf.data.Dataset.range(num_steps)
        .map(lambda step: _take_part(step, 1, batch_size, context))
        .unbatch()
    )
    return map_ahead(rows, read)


def _take_part(
    first_step: tf.Tensor,
    num_steps: int,
    global_batch_size: int,
    context: tf.distribute.InputContext | None,
) -> tf.Tensor:
    """Returns the positions of a pipeline's replicas in some global batches.

    Returns:
      int64 [num_steps * replicas of the pipeline, b].
    """
    context = context or tf.distribute.InputContext()
    replica_batch_size = context.get_per_replica_batch_size(global_batch_size)
    size = global_batch_size // context.num_input_pipelines
    steps = first_step + tf.range(num_steps, dtype=tf.int64)
    places = context.input_pipeline_id * size + tf.range(size, dtype=tf.int64)
    positions = steps[:, None] * global_batch_size + places
    return tf.reshape(positions, [-1, replica_batch_size])
