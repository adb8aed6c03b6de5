"""TFDS dataset `seqdigits`: images of 1 to 5 handwritten digits in a row.

Importing this package registers the dataset with TFDS: afterwards,
`tfds.load("seqdigits")` finds it.
"""

from seqdigits_tfds.builder_config import SeqDigitsConfig
from seqdigits_tfds.composition import BLANK, NO_GLYPH
from seqdigits_tfds.errors import InputError
from seqdigits_tfds.seqdigits_tfds_dataset_builder import Builder

__all__ = ["BLANK", "NO_GLYPH", "Builder", "InputError", "SeqDigitsConfig"]
