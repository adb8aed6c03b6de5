"""Exports a trained model as a SavedModel for serving."""

import pathlib

import keras
import tensorflow as tf


def write_saved_model(
    model_path: pathlib.Path, export_path: pathlib.Path
) -> None:
    """Converts a saved Keras model to a SavedModel.

    Its endpoint `serve`, which is also the default signature, takes `image`,
    uint8 [N, height, width, 1], and returns `digits`, int64 [N, positions], and
    `probabilities`, float32 [N, positions, classes].

    Args:
      model_path: The model, a `.keras` file.
      export_path: The directory to write.
    """
    # Loading the file gives plain variables, independent of any strategy.
    model = keras.models.load_model(model_path)
    archive = keras.export.ExportArchive()
    archive.track(model)

    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = model(image, training=False)
        return {
            "digits": tf.argmax(logits, axis=-1),
            "probabilities": tf.nn.softmax(logits),
        }

    archive.add_endpoint(
        "serve",
        serve,
        input_signature=[tf.TensorSpec(model.input_shape, tf.uint8, "image")],
    )
    archive.write_out(str(export_path), verbose=False)
