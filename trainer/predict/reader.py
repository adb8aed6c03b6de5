"""Reads the digits in pictures with a trained model."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from seqdigits_tfds import InputError
from seqdigits_tfds.builder_config import TILED
from trainer.data.sequences import ExampleShape, to_text
from trainer.model import models
from trainer.predict.conversion import Piece, convert, take_own_image
from trainer.predict.drawing import draw
from trainer.predict.ink import find_ink
from trainer.predict.pictures import open_picture
from trainer.predict.shapes import Box, find_lines

_Model = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Line:
    """What was read in a line of a picture.

    Attributes:
      digits: The digits; "_" for a blank before the last digit, "" if there is
        no digit.
      confidence: Probability of the whole line, 0 to 1.
      boxes: Where each digit is, in pixels of the picture, upright; none if the
        picture was made by the dataset's code.
      probabilities: float32 [digits, classes].
      images: What the model saw, each uint8 [height, width, 1].
      error: Why the line could not be read; None if it could.
    """

    digits: str = ""
    confidence: float = 0.0
    boxes: Sequence[Box] = ()
    probabilities: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros((0, 1), np.float32)
    )
    images: Sequence[np.ndarray] = ()
    error: str | None = None


@dataclasses.dataclass(frozen=True)
class Reader:
    """A trained model that reads images of digits.

    Attributes:
      find_probabilities: Maps images uint8 [n, height, width, 1] to
        probabilities float32 [n, positions, classes].
      shape: The shape of the model's input and output.
      layout: The layout of the dataset on which it was trained; see
        `seqdigits_tfds.SeqDigitsConfig`.
    """

    find_probabilities: _Model
    shape: ExampleShape
    layout: str = TILED

    @classmethod
    def load(cls, path: pathlib.Path) -> Self:
        """Loads a model.

        Args:
          path: A `.keras` file, or the directory of an exported SavedModel. The
            `results.json` of the run beside it says its layout; without one,
            it is "tiled".

        Raises:
          InputError: If the path does not contain a model.
        """
        load = _load_saved_model if path.is_dir() else _load_keras
        find_probabilities, shape = load(path)
        try:
            results = json.loads((path.parent / "results.json").read_text())
            layout = results["layout"]
        except (OSError, ValueError, KeyError, TypeError):
            layout = TILED
        return cls(find_probabilities, shape, layout)

    def read(self, picture: Image.Image) -> list[Line]:
        """Reads the lines of a picture, from top to bottom.

        Args:
          picture: Any mode and size: digits in lines, on a contrasting
            background. A greyscale picture of the model's own input size with
            a dark border is taken to come from the dataset.

        Raises:
          InputError: If no digits are found, or a shape fills the picture.
        """
        own = take_own_image(picture, self.shape)
        if own is not None:
            return [self._read_pieces([Piece(own, [])], 1)]
        ink = find_ink(picture)
        scale = max(picture.size) / max(ink.shape)
        lines = []
        for shapes in find_lines(ink):
            try:
                pieces = convert(shapes, self.shape, self.layout)
            except InputError as error:
                lines.append(Line(error=str(error)))
            else:
                lines.append(self._read_pieces(pieces, scale))
        return lines

    def _read_pieces(self, pieces: Sequence[Piece], scale: float) -> Line:
        images = np.stack([piece.image for piece in pieces])
        found = self.find_probabilities(images)
        boxes: list[Box] = []
        rows = []
        for piece, probabilities in zip(pieces, found, strict=True):
            is_digit = probabilities.argmax(axis=-1) != found.shape[-1] - 1
            num_digits = int(is_digit.nonzero()[0].max(initial=-1)) + 1
            shapes = piece.shapes
            if shapes and self.layout == TILED:
                num_digits = min(num_digits, len(shapes))
                boxes += (shape.box for shape in shapes[:num_digits])
            elif shapes and num_digits:
                boxes += shapes[0].divide(num_digits)
            rows.append(probabilities[:num_digits])
        probabilities = np.concatenate(rows)
        return Line(
            to_text(probabilities.argmax(axis=-1), found.shape[-1], empty=""),
            float(found.max(axis=-1).prod()),
            [box.scale(scale) for box in boxes],
            probabilities,
            list(images),
        )


@dataclasses.dataclass(frozen=True)
class Reading:
    """The result for one line of a picture.

    Attributes:
      image: Name of the picture.
      line: Number of the line, counted from 1.
      digits: See `Line`.
      confidence: See `Line`.
      boxes: See `Line`.
      error: Why the line or the picture could not be read; None if it could.
    """

    image: str
    line: int = 1
    digits: str = ""
    confidence: float = 0.0
    boxes: Sequence[Box] = ()
    error: str | None = None


def read_pictures(
    names: Iterable[str], reader: Reader, show: pathlib.Path | None
) -> Iterator[Reading]:
    """Reads pictures.

    Args:
      names: From `pictures.find_pictures`.
      reader: The model.
      show: Folder in which to save the pictures with what was read, and the
        images that the model saw; None to save none.

    Yields:
      A reading for each line of each picture, in the order of `names`.

    Raises:
      InputError: If `show` is not writable.
    """
    for number, name in enumerate(names):
        try:
            picture = open_picture(name)
            lines = reader.read(picture)
        except InputError as error:
            yield Reading(name, error=str(error))
            continue
        if show is not None:
            stem = pathlib.Path(name).stem if name != "-" else "stdin"
            digits = "-".join(line.digits or "blank" for line in lines)
            # File names have at most 255 bytes.
            stem = os.fsencode(stem)[:100].decode(errors="ignore")
            path = show / f"{number:04d}-{stem}-{digits[:40]}.png"
            try:
                show.mkdir(parents=True, exist_ok=True)
                _draw(picture, lines).save(path)
            except OSError as error:
                raise InputError(
                    f"show must be a writable folder, got {str(show)!r}"
                    f" ({error.strerror})"
                ) from error
        for line_number, line in enumerate(lines, 1):
            yield Reading(
                name,
                line_number,
                line.digits,
                line.confidence,
                line.boxes,
                line.error,
            )


def _draw(picture: Image.Image, lines: Sequence[Line]) -> Image.Image:
    digits: list[tuple[str, Box]] = []
    seen: list[np.ndarray] = []
    for line in lines:
        labels = line.probabilities.argmax(axis=-1)
        digits += zip(map(str, labels), line.boxes, strict=False)
        seen += list(line.images)
    return draw(picture, digits, seen)


def _load_keras(path: pathlib.Path) -> tuple[_Model, ExampleShape]:
    model = models.load(path)
    return (
        lambda images: keras.ops.softmax(model(images, training=False)).numpy(),
        ExampleShape.from_model(model),
    )


def _load_saved_model(path: pathlib.Path) -> tuple[_Model, ExampleShape]:
    try:
        serve = tf.saved_model.load(str(path)).signatures["serving_default"]
        _, inputs = serve.structured_input_signature
        output = serve.structured_outputs["probabilities"]
        shape = ExampleShape(
            tuple(inputs["image"].shape[1:]), *output.shape[1:]
        )
    except (
        OSError,
        KeyError,
        TypeError,
        ValueError,
        tf.errors.OpError,
    ) as error:
        raise InputError(
            f"expected a model exported by the trainer, found none in {path}"
        ) from error
    return lambda images: serve(image=images)["probabilities"].numpy(), shape
