"""Prepared dataset -> batches on the devices.

A split is decoded once into uint8 tensors; what streams are batches of row
numbers, which become images only as the last step before the device. So
shuffling moves 8 bytes an example, not 4 KiB, and is over the whole split, and
which examples make batch k is a pure function of (seed, k): it depends neither
on threads nor on how many replicas or workers share the batch.

Training and evaluation want opposite things, hence two functions: an endless,
shuffled stream of full batches, and each example exactly once, in order.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from trainer.progress import Progress

PADDING = -1
"""Row number of an element that only fills up the last evaluation batch."""

_READ_BATCH = 1_000


@dataclasses.dataclass(frozen=True)
class Examples:
    """A decoded split, in host memory.

    Attributes:
      images: uint8 [n, height, width, 1].
      labels: int64 [n, positions].
    """

    images: tf.Tensor
    labels: tf.Tensor

    def __len__(self) -> int:
        return len(self.labels)


def load_examples(builder: tfds.core.DatasetBuilder, split: str) -> Examples:
    """Reads and decodes a whole split, with a progress display.

    Args:
      builder: A prepared builder of `seqdigits`.
      split: Name of the split.

    Returns:
      The examples, in an order that does not depend on the number of shards.
    """
    num_examples = builder.info.splits[split].num_examples
    dataset = builder.as_dataset(
        split=split,
        # One shard after the other: interleaving them would make the order
        # depend on how many there are. Decoding takes the time, not reading.
        read_config=tfds.ReadConfig(
            interleave_cycle_length=1, try_autocache=False, skip_prefetch=True
        ),
        as_supervised=True,
    )
    features = builder.info.features
    images = np.empty((num_examples, *features["image"].shape), np.uint8)
    labels = np.empty((num_examples, *features["label"].shape), np.int64)
    start = 0
    with Progress(num_examples, f"Loading {split}", "images") as progress:
        for image_batch, label_batch in dataset.batch(_READ_BATCH).prefetch(2):
            stop = start + len(label_batch)
            images[start:stop] = image_batch
            labels[start:stop] = label_batch
            progress.advance(stop - start)
            start = stop
    # Where tf.data runs; a GPU would be the default place.
    with tf.device("/CPU:0"):
        return Examples(tf.constant(images), tf.constant(labels))


def make_train_dataset(
    examples: Examples,
    global_batch_size: int,
    seed: int,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Makes the endless stream of training batches of one input pipeline.

    Global batch k holds elements k * global_batch_size and following of the
    shuffled epochs put end to end. An epoch is a permutation of the split, and
    no example is left out of it; where its size is no multiple of the batch, a
    batch has the end of one epoch and the start of the next.

    Args:
      examples: The training split.
      global_batch_size: Examples per step over all replicas, which must divide
        it.
      seed: Determines the order of each epoch.
      context: Which replicas this pipeline feeds; None: one replica in all.

    Returns:
      Elements (images uint8 [b, height, width, 1], labels int64 [b,
      positions]), b = global_batch_size / replicas: one element for each of
      the pipeline's replicas, in turn.
    """
    context = context or tf.distribute.InputContext()
    worker_batch_size = global_batch_size // context.num_input_pipelines

    def shuffle_rows(epoch: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(
            tf.range(len(examples), dtype=tf.int64),
            seed=tf.stack([tf.constant(seed, tf.int64), epoch]),
            alg="philox",
        )

    rows = (
        tf.data.Dataset.counter()
        .map(shuffle_rows)
        # Cuts the epochs into global batches, of which worker w takes the w-th
        # part, and then into its replicas' parts. Other orders would deal out
        # other examples.
        .rebatch(worker_batch_size)
        .shard(context.num_input_pipelines, context.input_pipeline_id)
        .rebatch(context.get_per_replica_batch_size(global_batch_size))
    )
    return _finish(
        rows,
        lambda row: (
            tf.gather(examples.images, row),
            tf.gather(examples.labels, row),
        ),
    )


def make_eval_dataset(
    examples: Examples,
    global_batch_size: int,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Makes the stream that has each example once, of one input pipeline.

    All batches are full, so that all replicas always have the same to do: the
    last ones are filled up with elements whose row is `PADDING`.

    Args:
      examples: The split to evaluate.
      global_batch_size: Examples per step over all replicas; rounded up to a
        multiple of their number.
      context: Which replicas this pipeline feeds; None: one replica in all.

    Returns:
      Elements (rows int64 [b], images uint8 [b, height, width, 1]), one for
      each of the pipeline's replicas, in turn.
    """
    context = context or tf.distribute.InputContext()
    num_replicas = context.num_replicas_in_sync
    per_replica_batch_size = -(-global_batch_size // num_replicas)
    step_size = per_replica_batch_size * num_replicas
    num_steps = -(-len(examples) // step_size)
    worker_batch_size = step_size // context.num_input_pipelines
    rows = (
        tf.data.Dataset.range(num_steps * step_size)
        .batch(worker_batch_size)
        .shard(context.num_input_pipelines, context.input_pipeline_id)
        .rebatch(per_replica_batch_size)
        .map(lambda row: tf.where(row < len(examples), row, PADDING))
    )
    return _finish(
        rows,
        lambda row: (row, tf.gather(examples.images, tf.maximum(row, 0))),
    )


def _finish(
    rows: tf.data.Dataset, gather: Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
) -> tf.data.Dataset:
    options = tf.data.Options()
    # The pipelines above already divide the data among workers.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return (
        rows.map(gather, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )
