"""Batches of any prepared TFDS dataset, as functions of an index.

Open a split, then make training or evaluation batches of it:

  builder = tfds.builder("cifar10")
  split = open_split(builder, "train", features=["image", "label"])
  for positions, examples in make_train_dataset(split, 128, seed=0):
      ...

docs/pipeline.md explains the idea and its use with Keras, PyTorch and JAX.

In the order of the data's way: `records` (random access to files), `splits`
(rows to examples), `pipeline` (positions to batches), `randomness` (every
random number). `seqdigits_tfds.decoding` makes tensors of records. The other
modules are about `seqdigits`: `dataset` chooses and prepares it, `sequences`
has the shape and text of an example.
"""

from trainer.data.pipeline import (
    PADDING,
    make_eval_dataset,
    make_train_dataset,
)
from trainer.data.randomness import draw
from trainer.data.splits import GeneratedSplit, Split, open_split

__all__ = [
    "PADDING",
    "GeneratedSplit",
    "Split",
    "draw",
    "make_eval_dataset",
    "make_train_dataset",
    "open_split",
]
