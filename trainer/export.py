"""A trained model as a SavedModel for serving."""

import pathlib

import keras
import tensorflow as tf


def write_saved_model(
    model_path: pathlib.Path, export_path: pathlib.Path
) -> None:
    """Turns a saved Keras model into a SavedModel.

    Its endpoint `serve`, also the default signature, takes `image`, uint8 [N,
    height, width, 1], and gives `digits`, int64 [N, positions], and
    `probabilities`, float32 [N, positions, classes].

    Args:
      model_path: The model, a `.keras` file.
      export_path: Directory to write.
    """
    # Loaded anew, its variables are plain ones, not a strategy's.
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
