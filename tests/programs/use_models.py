"""Uses the two models of a run without this project.

The arguments are a run directory and the directory of a prepared dataset.
Prints the sequence accuracy of both models on the test split, as JSON.
"""

import json
import sys

# Importing the project fails, as if it were not installed.
sys.modules["trainer"] = sys.modules["seqdigits_tfds"] = None

import keras
import tensorflow as tf
import tensorflow_datasets as tfds

run_dir, dataset_dir = sys.argv[1:]
builder = tfds.builder_from_directory(dataset_dir)
examples = builder.as_dataset(split="test", batch_size=-1)
images, labels = examples["image"], examples["label"].numpy()
model = keras.models.load_model(f"{run_dir}/model.keras")
logits = model.predict(images, batch_size=500, verbose=0)
served = tf.saved_model.load(f"{run_dir}/export")
answers = served.signatures["serving_default"](image=images)
digits, probabilities = answers["digits"], answers["probabilities"].numpy()
assert (digits.dtype, probabilities.dtype) == (tf.int64, "float32")
assert digits.shape == (len(labels), 5)
assert probabilities.shape == (len(labels), 5, 11)
assert abs(probabilities.sum(axis=-1) - 1).max() < 1e-5
assert (probabilities.argmax(axis=-1) == digits.numpy()).all()
print(
    json.dumps(
        [
            float((found == labels).all(axis=1).mean())
            for found in (logits.argmax(axis=-1), digits.numpy())
        ]
    )
)
