"""Prints the examples that each replica of this worker receives.

The arguments are a strategy and its number of virtual devices, the number of
examples, the global batch size, the number of steps and the seed. TF_CONFIG is
used as by the trainer. Prints JSON: for each step, a list of row numbers per
replica. If the number of examples is 0, the images are fresh and distorted, and
their CRCs are printed instead of row numbers.
"""

import json
import sys
import zlib

import numpy as np
import tensorflow as tf

import seqdigits_tfds
from trainer.data.distortion import Distortion
from trainer.data.fresh import make_fresh_split
from trainer.data.pipeline import make_train_dataset
from trainer.data.splits import MemorySplit
from trainer.distribution.cluster import read_tf_config
from trainer.distribution.strategy import make_strategy

name, *numbers = sys.argv[1:]
num_devices, num_examples, batch_size, num_steps, seed = map(int, numbers)
cluster = read_tf_config() if name == "multi_worker" else None
strategy = make_strategy(name, num_devices, cluster)
if num_examples:
    rows = np.arange(num_examples)
    split = MemorySplit(tf.zeros((num_examples, 1, 1, 1)), tf.constant(rows))
    distortion = None
else:
    split = make_fresh_split(seqdigits_tfds.Builder(config="optdigits"))
    distortion = Distortion(num_positions=5, strength=2.0)
batches = iter(
    strategy.distribute_datasets_from_function(
        lambda context: make_train_dataset(
            split,
            batch_size,
            seed,
            context=context,
            distortion=distortion,
        )
    )
)


def describe(images, labels):
    if num_examples:
        return labels.numpy().tolist()
    return [zlib.crc32(image.tobytes()) for image in images.numpy()]


def read_step():
    images, labels = map(strategy.experimental_local_results, next(batches))
    return list(map(describe, images, labels))


print(json.dumps([read_step() for _ in range(num_steps)]))
