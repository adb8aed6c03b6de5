"""The configuration of the dataset."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import tensorflow_datasets as tfds

from seqdigits_tfds import errors, glyphs, sources
from seqdigits_tfds.composition import Numbers
from seqdigits_tfds.scattering import Scatter

DEFAULT_SEED = 101

TILED, SCATTERED = LAYOUTS = ("tiled", "scattered")

_CORRUPTED_CLUTTER, _CORRUPTED_NOISE = (2, 6), (20.0, 60.0)
"""Images of `test_corrupted` have at least so much clutter and noise."""

_INTEGERS = {
    "min_digits": (1, 100),
    "max_digits": (1, 100),
    "max_train_digits": (1, 100),
    "image_height": (1, 4096),
    "image_width": (1, 4096),
    "glyph_size": (4, 1024),
    "seed": (0, None),
    "num_train": (1, None),
    "num_validation": (1, None),
    "num_test": (1, None),
    "num_ood": (0, None),
}
"""Smallest and largest value of each integer field."""

_OPTIONAL = ("max_train_digits", "glyph_size", "source_splits")
"""Fields that may be None."""

_RANGES: Mapping[str, tuple[type, float, float]] = {
    "gap": (int, -100, 1000),
    "scale": (float, 0.1, 10),
    "rotation": (float, -180, 180),
    "shift": (int, -4096, 4096),
    "brightness": (float, 0.1, 1),
    "clutter": (int, 0, 100),
    "noise": (float, 0, 64),
}
"""Type, smallest and largest number of each field that is a range."""

_Number = TypeVar("_Number", int, float)

_SCATTER_FIELDS = tuple(field.name for field in dataclasses.fields(Scatter))

_DEFAULTS = Scatter()


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """What distinguishes the splits of a dataset.

    Attributes:
      num_examples: Number of examples.
      pool: The glyphs that it uses, one of `glyphs.POOLS`.
      min_digits: Smallest number of digits.
      max_digits: Largest number of digits.
      numbers: The numbers that may occur.
      clutter: Smallest and largest number of pieces of clutter.
      noise: Smallest and largest standard deviation of an image's noise.
    """

    num_examples: int
    pool: str
    min_digits: int
    max_digits: int
    numbers: Numbers
    clutter: tuple[int, int]
    noise: tuple[float, float]


@dataclasses.dataclass(eq=False, kw_only=True)
class SeqDigitsConfig(tfds.core.BuilderConfig):
    """A validated configuration of `seqdigits`.

    It adds these fields to those of `tfds.core.BuilderConfig`. A range is a
    pair of numbers, from which each example or glyph draws uniformly.

    Attributes:
      name: Required; letters, digits and underscores.
      source: Where glyphs come from: "mnist", "optdigits", "tfds:NAME" (a
        prepared TFDS dataset with an image and a class label), or "folder:PATH"
        (see `tfds.ImageFolder`).
      source_splits: The splits or parts of splits of a TFDS source whose glyphs
        `train`, `validation` and `test` use, such as {"train": "train[:80%]",
        "validation": "train[80%:]", "test": "test"}. None: see
        `image_datasets`.
      glyph_size: Height and width to which a TFDS source's images are resized,
        in pixels, 4..1024; None to keep their size.
      invert: Whether a TFDS source's images are dark ink on white.
      layout: "tiled": side by side in cells of equal size, left-aligned, and
        resized. "scattered": see `scattering`.
      min_digits: Smallest number of digits of a sequence. At least 1.
      max_digits: Number of positions of a label, and largest number of digits.
        With the layout "tiled", also the number of cells. At most 100.
      max_train_digits: Largest number of digits in `train`, `validation` and
        `test`; None for `max_digits`.
      image_height: Height of an image, in pixels, 1..4096.
      image_width: Width of an image, in pixels, 1..4096.
      gap, scale, rotation, shift, brightness: Ranges of the layout
        "scattered"; see `scattering.Scatter`.
      masks: Whether the layout "scattered" has the feature `mask`.
      clutter: Range of the number of pieces of other glyphs in an image,
        0..100.
      noise: Range of the standard deviation of an image's noise, 0..64 grey
        levels.
      seed: Determines, with split and index, every example. At least 0.
      num_train: Number of examples in `train`. At least 1.
      num_validation: Number of examples in `validation`. At least 1.
      num_test: Number of examples in `test`. At least 1.
      num_ood: Number of examples in each out-of-distribution split, 0 for no
        such splits: `test_longer` (sequences longer than `max_train_digits`),
        `test_unseen` (numbers that no other split except `test_longer` has, see
        `composition.Numbers`) and `test_corrupted` (clutter and noise).

    Raises:
      InputError: If a field is unknown or has an invalid value.
    """

    name: str = ""
    source: str = "mnist"
    source_splits: Mapping[str, str] | None = None
    glyph_size: int | None = None
    invert: bool = False
    layout: str = TILED
    min_digits: int = 1
    max_digits: int = 5
    max_train_digits: int | None = None
    image_height: int = 64
    image_width: int = 64
    gap: tuple[int, int] = _DEFAULTS.gap
    scale: tuple[float, float] = _DEFAULTS.scale
    rotation: tuple[float, float] = _DEFAULTS.rotation
    shift: tuple[int, int] = _DEFAULTS.shift
    brightness: tuple[float, float] = _DEFAULTS.brightness
    masks: bool = False
    clutter: tuple[int, int] = (0, 0)
    noise: tuple[float, float] = (0.0, 0.0)
    seed: int = DEFAULT_SEED
    num_train: int = 60_000
    num_validation: int = 5_000
    num_test: int = 10_000
    num_ood: int = 0

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
        if not isinstance(self.source, str):
            self._refuse("source", "a text")
        sources.find_source(self.source)
        if self.layout not in LAYOUTS:
            self._refuse("layout", f"one of {', '.join(LAYOUTS)}")
        for field in ("invert", "masks"):
            if not isinstance(getattr(self, field), bool):
                self._refuse(field, "true or false")
        for field in _INTEGERS:
            self._check_integer(field)
        for field in _RANGES:
            self._check_range(field)
        self._check_combinations()

    def _check_combinations(self) -> None:
        longest = self.longest_train
        if longest > self.max_digits:
            self._refuse(
                "max_train_digits", f"at most {self.max_digits}, max_digits"
            )
        if self.min_digits > longest:
            self._refuse("min_digits", f"at most {longest}, the largest number")
        if self.num_ood and longest < 2:
            self._refuse("num_ood", "0 if train has single digits only")
        if self.layout == TILED:
            for field in (*_SCATTER_FIELDS, "masks"):
                if (
                    getattr(self, field)
                    != type(self).__dataclass_fields__[field].default
                ):
                    self._refuse(field, "left out with layout='tiled'")
        elif self.image_width < 4 * self.max_digits or self.image_height < 4:
            self._refuse(
                "image_width",
                f"at least {4 * self.max_digits}, and the height 4",
            )
        chosen = self.source_splits
        if chosen is not None and not (
            isinstance(chosen, Mapping)
            and set(chosen) == set(glyphs.POOLS)
            and all(isinstance(part, str) for part in chosen.values())
        ):
            self._refuse(
                "source_splits",
                f"a split for each of {', '.join(glyphs.POOLS)}",
            )
        if self.source in ("mnist", "optdigits"):
            for field in ("source_splits", "glyph_size", "invert"):
                if getattr(self, field):
                    self._refuse(field, f"left out with source={self.source!r}")

    def _check_integer(self, field: str) -> None:
        value = getattr(self, field)
        if value is None and field in _OPTIONAL:
            return
        low, high = _INTEGERS[field]
        # `true` in a JSON config is a mistake, but bool is a subclass of int.
        if (
            type(value) is not int
            or value < low
            or (high is not None and value > high)
        ):
            limits = f"of at least {low}" if high is None else f"{low}..{high}"
            self._refuse(field, f"an integer {limits}")

    def _check_range(self, field: str) -> None:
        kind, low, high = _RANGES[field]
        value = getattr(self, field)
        if (
            not isinstance(value, list | tuple)
            or len(value) != 2
            or any(type(end) not in {int, kind} for end in value)
            or not low <= value[0] <= value[1] <= high
        ):
            numbers = "integers" if kind is int else "numbers"
            self._refuse(
                field, f"two {numbers} [low, high] within {low}..{high}"
            )
        setattr(self, field, tuple(map(kind, value)))

    def _refuse(self, field: str, expected: str) -> None:
        raise errors.InputError(
            f"config {self.name!r}: {field} must be {expected}, got"
            f" {getattr(self, field)!r}"
        )

    @property
    def longest_train(self) -> int:
        """Largest number of digits in `train`."""
        return self.max_train_digits or self.max_digits

    @property
    def scatter(self) -> Scatter:
        """The ranges of the layout "scattered"."""
        return Scatter(
            **{field: getattr(self, field) for field in _SCATTER_FIELDS}
        )

    @property
    def settings(self) -> dict[str, Any]:
        """All own fields by name, as JSON values."""
        known = {
            field.name for field in dataclasses.fields(tfds.core.BuilderConfig)
        }
        return {
            field.name: json.loads(json.dumps(getattr(self, field.name)))
            for field in dataclasses.fields(self)
            if field.name not in known
        }

    @property
    def splits(self) -> Mapping[str, SplitSettings]:
        """The splits by name."""
        usual = SplitSettings(
            num_examples=self.num_train,
            pool="train",
            min_digits=self.min_digits,
            max_digits=self.longest_train,
            numbers=Numbers.SEEN if self.num_ood else Numbers.ALL,
            clutter=self.clutter,
            noise=self.noise,
        )
        splits = {
            "train": usual,
            "validation": dataclasses.replace(
                usual, num_examples=self.num_validation, pool="validation"
            ),
            "test": dataclasses.replace(
                usual, num_examples=self.num_test, pool="test"
            ),
        }
        if not self.num_ood:
            return splits
        ood = dataclasses.replace(usual, num_examples=self.num_ood, pool="test")
        if self.longest_train < self.max_digits:
            splits["test_longer"] = dataclasses.replace(
                ood,
                min_digits=self.longest_train + 1,
                max_digits=self.max_digits,
                numbers=Numbers.ALL,
            )
        splits["test_unseen"] = dataclasses.replace(
            ood, min_digits=max(2, self.min_digits), numbers=Numbers.UNSEEN
        )
        splits["test_corrupted"] = dataclasses.replace(
            ood,
            clutter=_raise_ends(self.clutter, _CORRUPTED_CLUTTER),
            noise=_raise_ends(self.noise, _CORRUPTED_NOISE),
        )
        return splits

    @property
    def num_examples(self) -> Mapping[str, int]:
        """Number of examples of each split."""
        return {name: split.num_examples for name, split in self.splits.items()}


def _raise_ends(
    ends: tuple[_Number, _Number], least: tuple[_Number, _Number]
) -> tuple[_Number, _Number]:
    return max(ends[0], least[0]), max(ends[1], least[1])
