"""TFDS dataset `seqdigits`: images of handwritten digits in a row.

Importing this package registers the dataset with TFDS: afterwards,
`tfds.load("seqdigits")` finds it. `Sequences` makes its examples without files.
"""

from seqdigits_tfds.builder_config import SeqDigitsConfig
from seqdigits_tfds.composition import NO_GLYPH
from seqdigits_tfds.errors import InputError
from seqdigits_tfds.seqdigits_tfds_dataset_builder import Builder
from seqdigits_tfds.sequences import Sequences

__all__ = ["NO_GLYPH", "Builder", "InputError", "SeqDigitsConfig", "Sequences"]
