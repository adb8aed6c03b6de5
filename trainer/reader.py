"""Reads digits from pictures: files -> the model's input -> predictions."""

import dataclasses
import io
import itertools
import math
import os
import pathlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

from seqdigits_tfds import BLANK, InputError
from trainer import models
from trainer.conversion import MAX_PIXELS, convert

_SUFFIXES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_BATCH_SIZE = 64
_MAX_BYTES = 200_000_000

Read = Callable[[np.ndarray], np.ndarray]
"""Images uint8 [n, height, width, 1] -> probabilities, float32 [n, positions,
classes]."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a picture was read as.

    Attributes:
      image: Where the picture is from.
      digits: What it was read as; "" if there is no digit.
      confidence: Probability of the whole sequence, 0 to 1.
      error: Why it could not be read; None if it could.
    """

    image: str
    digits: str = ""
    confidence: float = 0.0
    error: str | None = None


def load_model(path: pathlib.Path) -> tuple[Read, models.Shape]:
    """Loads a model.

    Args:
      path: A `.keras` file, or a SavedModel's folder as the trainer exports it.

    Returns:
      A function that reads images, and what they must be like.

    Raises:
      InputError: If there is no such model.
    """
    if not path.is_dir():
        model = models.load(path)

        def read(images: np.ndarray) -> np.ndarray:
            return keras.ops.softmax(model(images, training=False)).numpy()

        return read, models.get_shape(model)
    try:
        serve = tf.saved_model.load(str(path)).signatures["serving_default"]
        _, taken = serve.structured_input_signature
        given = serve.structured_outputs["probabilities"]
        shape = models.Shape(tuple(taken["image"].shape[1:]), *given.shape[1:])
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise InputError(
            f"wanted a model that the trainer exported, found none in {path}"
        ) from error
    return lambda images: serve(image=images)["probabilities"].numpy(), shape


def find_pictures(names: Iterable[str]) -> Iterator[str]:
    """Yields the pictures that are meant: folders become their files.

    Args:
      names: Files, folders, and "-".
    """
    for name in names:
        if not os.path.isdir(name):
            yield name
            continue
        files = sorted(
            entry.path
            for entry in os.scandir(name)
            if entry.is_file() and entry.name.lower().endswith(_SUFFIXES)
        )
        # A folder without pictures is told like a file that is none.
        yield from files or [name]


def open_picture(name: str) -> Image.Image:
    """Opens and decodes a picture.

    Args:
      name: A file, or "-" for standard input.

    Raises:
      InputError: If it is not a still PNG or JPEG, whole and of at most
        `conversion.MAX_PIXELS`.
    """
    try:
        file = io.BytesIO(_read(name))
        with warnings.catch_warnings():
            # Pillow warns of large pictures, before it refuses larger ones.
            warnings.simplefilter("ignore")
            picture = Image.open(file, formats=_FORMATS)
            if math.prod(picture.size) > MAX_PIXELS:
                raise _make_size_error()
            # A JPEG of several (MPO) has the picture first.
            if picture.format == "PNG" and getattr(picture, "n_frames", 1) > 1:
                raise InputError(
                    "wanted a still picture, found an animated one; save one"
                    " of its frames"
                )
            picture.verify()  # Checksums, which `load` does not look at.
            picture = Image.open(file, formats=_FORMATS)
            picture.load()
            return picture
    except IsADirectoryError:
        raise InputError(
            "wanted a folder with .png, .jpg or .jpeg files, found none in it"
        ) from None
    except UnidentifiedImageError:
        raise InputError("wanted a PNG or JPEG, found something else") from None
    except FileNotFoundError:
        raise InputError("wanted a file or folder, found nothing") from None
    except Image.DecompressionBombError:
        raise _make_size_error() from None
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"wanted a whole PNG or JPEG, found a damaged one ({reason})"
        ) from error


def _read(name: str) -> bytes:
    if name == "-":
        content = sys.stdin.buffer.read(_MAX_BYTES + 1)
    else:
        with open(name, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise InputError(
            f"wanted a file of at most {_MAX_BYTES:,} bytes, found a larger one"
        )
    return content


def _make_size_error() -> InputError:
    return InputError(
        f"wanted a picture of at most {MAX_PIXELS:,} pixels, found a larger"
        " one; make it smaller"
    )


def predict(
    names: Iterable[str],
    read: Read,
    shape: models.Shape,
    show: pathlib.Path | None,
) -> Iterator[Prediction]:
    """Reads pictures, a batch at a time.

    Args:
      names: As `find_pictures` yields them.
      read: As `load_model` gives it.
      shape: Likewise.
      show: Folder in which to save what the model saw; None: nowhere.

    Yields:
      A prediction for each, in order.
    """
    numbered = enumerate(names)
    while batch := list(itertools.islice(numbered, _BATCH_SIZE)):
        predictions: dict[int, Prediction] = {}
        images: dict[int, np.ndarray] = {}
        for number, name in batch:
            try:
                images[number] = convert(open_picture(name), shape)
                predictions[number] = Prediction(name)
            except InputError as error:
                predictions[number] = Prediction(name, error=str(error))
        if images:
            probabilities = read(np.stack(list(images.values())))
            for number, answer in zip(images, probabilities, strict=True):
                predictions[number] = dataclasses.replace(
                    predictions[number],
                    digits=_to_text(answer.argmax(axis=-1)),
                    confidence=float(answer.max(axis=-1).prod()),
                )
                if show is not None:
                    _save(images[number], show, number, predictions[number])
        yield from predictions.values()


def _to_text(labels: np.ndarray) -> str:
    return "".join(str(label) for label in labels if label != BLANK)


def _save(
    image: np.ndarray, folder: pathlib.Path, number: int, found: Prediction
) -> None:
    stem = pathlib.Path(found.image).stem if found.image != "-" else "stdin"
    path = folder / f"{number:04d}-{stem}-{found.digits or 'blank'}.png"
    Image.fromarray(image[:, :, 0]).save(path)
