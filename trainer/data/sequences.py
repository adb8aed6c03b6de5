"""What an example looks like: the image's shape, and the label as text."""

import dataclasses
from typing import Any, Self

import numpy as np
import tensorflow_datasets as tfds

from seqdigits_tfds import InputError
from trainer.data.splits import open_split

FEATURES = ("image", "label")
"""The features of `seqdigits` that are read."""


@dataclasses.dataclass(frozen=True)
class ExampleShape:
    """The shapes of an example, and therefore of a model's input and output.

    Attributes:
      image: (height, width, channels), in pixels.
      num_positions: Number of positions of a padded sequence.
      num_classes: Number of classes of a position, including the blank.
    """

    image: tuple[int, int, int]
    num_positions: int
    num_classes: int

    @classmethod
    def from_dataset(cls, builder: tfds.core.DatasetBuilder) -> Self:
        """Returns the shape of a dataset's examples."""
        label = builder.info.features["label"]
        return cls(
            image=builder.info.features["image"].shape,
            num_positions=label.shape[0],
            num_classes=label.feature.num_classes,
        )

    @classmethod
    def from_model(cls, model: Any) -> Self:
        """Returns the shape of the examples that a Keras model reads.

        Raises:
          InputError: If it maps no images to positions and classes.
        """
        try:
            (_, *image), (_, *logits) = model.input_shape, model.output_shape
            height, width, channels = image
            num_positions, num_classes = logits
        except (TypeError, ValueError) as error:
            raise InputError(
                "the model must map images [N, height, width, channels] to"
                " logits [N, positions, classes], got"
                f" {model.input_shape} to {model.output_shape}"
            ) from error
        return cls((height, width, channels), num_positions, num_classes)


def read_glyph_ids(builder: tfds.core.DatasetBuilder, split: str) -> np.ndarray:
    """Reads which digit images a split's examples consist of.

    Args:
      builder: A prepared dataset.
      split: Name of the split.

    Returns:
      int64 [n, positions]; -1 for a blank.
    """
    glyph_ids = open_split(builder, split, ["glyph_id"], from_disk=True)
    return glyph_ids.read(np.arange(len(glyph_ids)))["glyph_id"].numpy()


def to_text(
    sequence: np.ndarray, num_classes: int, empty: str = "(blank)"
) -> str:
    """Writes a sequence as text, such as "407".

    Args:
      sequence: int [positions], classes.
      num_classes: Number of classes, the last of which is the blank.
      empty: The text of a sequence that has only blanks.

    Returns:
      The classes, separated by spaces if there are more than ten. A blank
      before the last one, which is always a mistake, becomes "_".
    """
    blank = num_classes - 1
    classes = ["_" if label == blank else str(label) for label in sequence]
    while classes and classes[-1] == "_":
        classes.pop()
    return ("" if blank <= 10 else " ").join(classes) or empty
