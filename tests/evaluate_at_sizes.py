"""Evaluates a saved model at several batch sizes: a program of its own.

Virtual devices belong to a process, hence one for each number of replicas. The
arguments are a model, a dataset, how many of its test images to take, the
number of replicas, and the batch sizes; it prints a JSON list of the figures.
"""

import json
import sys

import keras
import numpy as np
import tensorflow_datasets as tfds
from trainer.evaluation import evaluate
from trainer.steps import make_predict_step
from trainer.strategy import make_strategy

from trainer import splits

model_path, dataset, num_images, num_replicas, *batch_sizes = sys.argv[1:]
strategy = make_strategy("mirrored", int(num_replicas))
with strategy.scope():
    model = keras.models.load_model(model_path)
examples = splits.load_split(tfds.builder(dataset), "test")
examples = splits.MemorySplit(
    examples.images[: int(num_images)], examples.labels[: int(num_images)]
)
predict_step = make_predict_step(strategy, model)

figures = []
for batch_size in map(int, batch_sizes):
    evaluation, logits, labels = evaluate(
        strategy, predict_step, examples, "test", batch_size
    )
    np.testing.assert_array_equal(labels, examples.labels)
    figures.append(evaluation.as_dict())
# What plain Keras says of the same images.
expected = model.predict(examples.images.numpy(), batch_size=500, verbose=0)
np.testing.assert_allclose(logits, expected, atol=1e-3)
print(json.dumps(figures))
