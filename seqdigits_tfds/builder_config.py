"""The configuration of the dataset."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import tensorflow_datasets as tfds

from seqdigits_tfds import errors, glyphs

DEFAULT_SEED = 101

_POSITIVE_FIELDS = (
    "max_digits",
    "image_height",
    "image_width",
    "num_train",
    "num_validation",
    "num_test",
)


@dataclasses.dataclass(eq=False, kw_only=True)
class SeqDigitsConfig(tfds.core.BuilderConfig):
    """A validated configuration of `seqdigits`.

    It adds these fields to those of `tfds.core.BuilderConfig`:

    Attributes:
      name: Required; letters, digits and underscores.
      source: The source of single digits: "mnist" or "optdigits".
      max_digits: Number of positions in a sequence, which is also the number of
        28x28 cells in a row before resizing. At least 1.
      image_height: Height of the resized image, in pixels. At least 1.
      image_width: Width of the resized image, in pixels. At least 1.
      seed: Together with split and index, determines the number of digits and
        the digits of an example. At least 0.
      num_train: Number of examples in `train`. At least 1.
      num_validation: Number of examples in `validation`. At least 1.
      num_test: Number of examples in `test`. At least 1.

    Raises:
      InputError: If a field is unknown or has an invalid value.
    """

    name: str = ""
    source: str = "mnist"
    max_digits: int = 5
    image_height: int = 64
    image_width: int = 64
    seed: int = DEFAULT_SEED
    num_train: int = 60_000
    num_validation: int = 5_000
    num_test: int = 10_000

    def __new__(cls, *_args: Any, **kwargs: Any) -> "SeqDigitsConfig":
        """Rejects unknown fields.

        `tfds build --config='{...}'` passes the user's keys to this class. A
        misspelt key would otherwise end in a traceback from `__init__`.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for key in kwargs:
            if key not in known:
                raise errors.InputError(
                    f"unknown key {key!r} in a seqdigits config; use some of:"
                    f" {', '.join(known)}"
                )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(
            r"\w+", self.name
        ):
            raise errors.InputError(
                "a config needs a name made of letters, digits and underscores"
                f" (it becomes a folder), got {self.name!r}"
            )
        if self.source not in glyphs.SOURCES:
            raise errors.InputError(
                f"config {self.name!r}: source must be one of"
                f" {', '.join(glyphs.SOURCES)}, got {self.source!r}"
            )
        for field in _POSITIVE_FIELDS:
            self._check_integer(field, minimum=1)
        self._check_integer("seed", minimum=0)

    def _check_integer(self, field: str, minimum: int) -> None:
        value = getattr(self, field)
        # `true` in a JSON config is a mistake, but bool is a subclass of int.
        if type(value) is not int or value < minimum:
            raise errors.InputError(
                f"config {self.name!r}: {field} must be an integer of at least"
                f" {minimum}, got {value!r}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that determine the examples, by name."""
        own = ("source", "seed", *_POSITIVE_FIELDS)
        return {field: getattr(self, field) for field in own}

    @property
    def num_examples(self) -> Mapping[str, int]:
        """Number of examples of each split."""
        return {
            "train": self.num_train,
            "validation": self.num_validation,
            "test": self.num_test,
        }
