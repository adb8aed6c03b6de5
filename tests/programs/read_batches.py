"""Prints the examples that each replica of this worker receives.

The arguments are a strategy and its number of virtual devices, the number of
examples, the global batch size, the number of steps and the seed. TF_CONFIG is
used as by the trainer. Prints JSON: for each step, a list of row numbers per
replica. If the number of examples is 0, the images are fresh and distorted, and
their CRCs are printed instead of row numbers.
"""

import dataclasses
import json
import sys
import zlib

import numpy as np
import tensorflow as tf

from seqdigits_tfds import Sequences
from seqdigits_tfds.configs import find_config
from trainer.data.pipeline import make_train_dataset
from trainer.data.sequences import FEATURES
from trainer.data.splits import GeneratedSplit, MemorySplit
from trainer.distribution.cluster import find_cluster
from trainer.distribution.strategy import make_strategy
from trainer.model.distortion import Distortion

name, *numbers = sys.argv[1:]
num_devices, num_examples, batch_size, num_steps, seed = map(int, numbers)
cluster = find_cluster() if name == "multi_worker" else None
strategy = make_strategy(name, num_devices, cluster)
if num_examples:
    rows = np.arange(num_examples)
    split = MemorySplit({"label": tf.constant(rows)})
else:
    sequences = Sequences(
        dataclasses.replace(find_config("optdigits"), seed=seed)
    )
    split = GeneratedSplit(sequences.make_examples, len(sequences), FEATURES)
batches = iter(
    strategy.distribute_datasets_from_function(
        lambda context: make_train_dataset(
            split, batch_size, seed, context=context
        )
    )
)


distort = Distortion(seed, cells=(1, 5), strength=2.0)


def describe(positions, examples):
    if num_examples:
        return examples["label"]
    images = distort(examples["image"], positions)
    crcs = tf.numpy_function(
        lambda images: np.array([zlib.crc32(x.tobytes()) for x in images]),
        [images],
        tf.int64,
    )
    return crcs


@tf.function
def describe_step(batch):
    return strategy.run(describe, args=batch)


def read_step():
    parts = strategy.experimental_local_results(describe_step(next(batches)))
    return [part.numpy().tolist() for part in parts]


print(json.dumps([read_step() for _ in range(num_steps)]))
