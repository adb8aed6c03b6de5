"""Evaluates a saved model at several batch sizes.

A process can only split its CPU once, so each number of replicas needs its own
process. The arguments are a model, a dataset, the number of its test images to
use, the number of replicas, and the batch sizes. Prints a JSON list of metrics.
"""

import json
import sys

import keras
import numpy as np
import tensorflow_datasets as tfds

from trainer.data import open_split
from trainer.distribution.strategy import make_strategy
from trainer.model.inference import predict_split
from trainer.model.metrics import compute_metrics
from trainer.model.steps import make_predict_step

model_path, dataset, num_images, num_replicas, *batch_sizes = sys.argv[1:]
strategy = make_strategy("mirrored", int(num_replicas))
with strategy.scope():
    model = keras.models.load_model(model_path)
split = open_split(
    tfds.builder(dataset), f"test[:{num_images}]", ["image", "label"]
)
predict_step = make_predict_step(strategy, model)

metrics = []
for batch_size in map(int, batch_sizes):
    predictions = predict_split(
        strategy, predict_step, split, "test", batch_size
    )
    np.testing.assert_array_equal(predictions.labels, split.examples["label"])
    metrics.append(
        compute_metrics(predictions.logits, predictions.labels).as_dict()
    )
# The predictions of plain Keras for the same images.
expected = model.predict(
    split.examples["image"].numpy(), batch_size=500, verbose=0
)
np.testing.assert_allclose(predictions.logits, expected, atol=1e-3)
print(json.dumps(metrics))
