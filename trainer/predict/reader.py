"""Reads the digits in pictures with a trained model."""

import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from seqdigits_tfds import InputError
from trainer.data.sequences import ExampleShape, to_text
from trainer.model import models
from trainer.predict.conversion import convert
from trainer.predict.pictures import open_picture

_BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Reader:
    """A trained model that reads images of digits.

    Attributes:
      find_probabilities: Maps images uint8 [n, height, width, 1] to
        probabilities float32 [n, positions, classes].
      shape: The shape of the model's input and output.
    """

    find_probabilities: Callable[[np.ndarray], np.ndarray]
    shape: ExampleShape

    @classmethod
    def load(cls, path: pathlib.Path) -> "Reader":
        """Loads a model.

        Args:
          path: A `.keras` file, or the directory of an exported SavedModel.

        Raises:
          InputError: If the path does not contain a model.
        """
        return _load_saved_model(path) if path.is_dir() else _load_keras(path)


@dataclasses.dataclass(frozen=True)
class Reading:
    """The result for one picture.

    Attributes:
      image: Name of the picture.
      digits: The digits; "_" for a blank before the last digit, "" if there is
        no digit.
      confidence: Probability of the whole sequence, 0 to 1.
      error: Why the picture could not be read; None if it could.
    """

    image: str
    digits: str = ""
    confidence: float = 0.0
    error: str | None = None


def _load_keras(path: pathlib.Path) -> Reader:
    model = models.load(path)
    return Reader(
        lambda images: keras.ops.softmax(model(images, training=False)).numpy(),
        ExampleShape.from_model(model),
    )


def _load_saved_model(path: pathlib.Path) -> Reader:
    try:
        serve = tf.saved_model.load(str(path)).signatures["serving_default"]
        _, inputs = serve.structured_input_signature
        output = serve.structured_outputs["probabilities"]
        shape = ExampleShape(
            tuple(inputs["image"].shape[1:]), *output.shape[1:]
        )
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise InputError(
            f"expected a model exported by the trainer, found none in {path}"
        ) from error
    return Reader(
        lambda images: serve(image=images)["probabilities"].numpy(), shape
    )


def read_pictures(
    names: Iterable[str], reader: Reader, show: pathlib.Path | None
) -> Iterator[Reading]:
    """Reads pictures, a batch at a time.

    Args:
      names: From `pictures.find_pictures`.
      reader: The model.
      show: Folder in which to save the images that the model sees; None to save
        none.

    Yields:
      A reading for each picture, in the order of `names`.
    """
    numbered = enumerate(names)
    while batch := list(itertools.islice(numbered, _BATCH_SIZE)):
        readings: dict[int, Reading] = {}
        images: dict[int, np.ndarray] = {}
        for number, name in batch:
            try:
                images[number] = convert(open_picture(name), reader.shape)
                readings[number] = Reading(name)
            except InputError as error:
                readings[number] = Reading(name, error=str(error))
        if images:
            probabilities = reader.find_probabilities(
                np.stack(list(images.values()))
            )
            for number, found in zip(images, probabilities, strict=True):
                readings[number] = dataclasses.replace(
                    readings[number],
                    digits=to_text(
                        found.argmax(axis=-1), found.shape[-1], empty=""
                    ),
                    confidence=float(found.max(axis=-1).prod()),
                )
                if show is not None:
                    _save(images[number], show, number, readings[number])
        yield from readings.values()


def _save(
    image: np.ndarray, folder: pathlib.Path, number: int, reading: Reading
) -> None:
    stem = pathlib.Path(reading.image).stem if reading.image != "-" else "stdin"
    path = folder / f"{number:04d}-{stem}-{reading.digits or 'blank'}.png"
    Image.fromarray(image[:, :, 0]).save(path)
