"""Prints which examples each replica of this worker gets: a program of its own.

The arguments are a strategy and its number of virtual devices, the number of
examples, the global batch size, the number of steps and the seed; TF_CONFIG as
for the trainer. Prints JSON: for each step a list of rows for each replica.
"""

import json
import os
import sys

import numpy as np
import tensorflow as tf

from trainer.cluster import parse_tf_config
from trainer.input_pipeline import make_train_dataset
from trainer.splits import MemorySplit
from trainer.strategy import make_strategy

name, *numbers = sys.argv[1:]
num_devices, num_examples, batch_size, num_steps, seed = map(int, numbers)
cluster = None
if name == "multi_worker":
    cluster = parse_tf_config(os.environ["TF_CONFIG"])
strategy = make_strategy(name, num_devices, cluster)
rows = np.arange(num_examples)
split = MemorySplit(tf.zeros((num_examples, 1, 1, 1)), tf.constant(rows))
batches = iter(
    strategy.distribute_datasets_from_function(
        lambda context: make_train_dataset(
            split, batch_size, seed, context=context
        )
    )
)
print(
    json.dumps(
        [
            [
                part.numpy().tolist()
                for part in strategy.experimental_local_results(
                    next(batches)[1]
                )
            ]
            for _ in range(num_steps)
        ]
    )
)
