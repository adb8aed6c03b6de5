"""Prints which examples each replica of this worker gets: a program of its own.

The arguments are a strategy and its number of virtual devices, the number of
examples, the global batch size, the number of steps and the seed; TF_CONFIG as
for the trainer. Prints JSON: for each step a list of rows for each replica; or,
if the number of examples is 0, of CRCs of distorted, recomposed images.
"""

import json
import os
import sys
import zlib

import numpy as np
import tensorflow as tf
from trainer.augmentation import Distortion
from trainer.cluster import parse_tf_config
from trainer.input_pipeline import make_train_dataset
from trainer.recomposition import make_recomposed_split
from trainer.splits import MemorySplit
from trainer.strategy import make_strategy

import seqdigits_tfds

name, *numbers = sys.argv[1:]
num_devices, num_examples, batch_size, num_steps, seed = map(int, numbers)
cluster = None
if name == "multi_worker":
    cluster = parse_tf_config(os.environ["TF_CONFIG"])
strategy = make_strategy(name, num_devices, cluster)
if num_examples:
    rows = np.arange(num_examples)
    split = MemorySplit(tf.zeros((num_examples, 1, 1, 1)), tf.constant(rows))
    distortion = None
else:
    split = make_recomposed_split(seqdigits_tfds.Builder(config="optdigits"))
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
