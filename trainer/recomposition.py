"""A training split without end: its digits in sequences never seen before.

What `seqdigits_tfds` does once, in NumPy and Pillow, happens here for each
batch, in the `tf.data` graph: draw lengths and digits, set them side by side,
resize. The rule is the dataset's own, and so are the pixels, to the bit.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import seqdigits_tfds
from seqdigits_tfds import InputError, SeqDigitsConfig
from seqdigits_tfds.rendering import WEIGHT_BITS, make_resizing_weights
from trainer.randomness import ALGORITHM, Purpose, make_seed

_BLOCK = 1024
"""Sequences drawn at a time."""


@dataclasses.dataclass(frozen=True, eq=False)
class RecomposedSplit:
    """Endless fresh sequences; its keys are the digits to compose.

    Attributes:
      glyphs: uint8 [n + 1, h, w], the digits of the split's pool; the last one
        is empty.
      labels: int64 [n + 1], their classes; `BLANK` for the last.
      config: The dataset's: length and size of the sequences, and how many are
        an epoch.
    """

    glyphs: tf.Tensor
    labels: tf.Tensor
    config: SeqDigitsConfig

    def __len__(self) -> int:
        return self.config.num_train

    def shuffle(self, seed: int, start: int) -> tf.data.Dataset:
        """As `splits.TrainSplit.shuffle`; no epoch repeats another.

        Keys are rows of `glyphs`, int64 [positions].
        """
        num_glyphs = len(self.labels) - 1
        first_block, done = divmod(start, _BLOCK)
        max_digits = self.config.max_digits

        def draw(block: tf.Tensor) -> tf.Tensor:
            words = tf.random.stateless_uniform(
                [_BLOCK, 1 + max_digits],
                make_seed(seed, Purpose.COMPOSITION, block),
                minval=None,
                maxval=None,
                dtype=tf.uint64,
                alg=ALGORITHM,
            )
            numbers = words % [max_digits, *[num_glyphs] * max_digits]
            numbers = tf.cast(numbers, tf.int64)
            used = tf.range(max_digits, dtype=tf.int64) <= numbers[:, :1]
            rows = tf.where(used, numbers[:, 1:], num_glyphs)
            return rows[tf.where(block == first_block, done, 0) :]

        return tf.data.Dataset.counter(first_block).map(draw)

    def decode(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `splits.TrainSplit.decode`, with keys int64 [b, positions]."""
        _, height, width = self.glyphs.shape
        config = self.config
        cells = tf.transpose(tf.gather(self.glyphs, keys), [0, 2, 1, 3])
        row = tf.reshape(cells, [-1, height, config.max_digits * width])
        # As Pillow does it: first the columns, rounded, then the rows.
        columns = make_resizing_weights(row.shape[2], config.image_width)
        rows = make_resizing_weights(height, config.image_height)
        image = _round(tf.einsum("bhw,wx->bhx", _to_float(row), columns))
        image = _round(tf.einsum("bhx,hy->byx", image, rows))
        image = tf.cast(image[..., None], tf.uint8)
        return image, tf.gather(self.labels, keys)


def make_recomposed_split(
    builder: tfds.core.DatasetBuilder, manual_dir: str | None = None
) -> RecomposedSplit:
    """Loads the digits of `train`'s pool.

    Args:
      builder: A prepared builder of `seqdigits`.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.

    Raises:
      InputError: If the digits can't be had, or if the dataset does not say of
        which digits it is made.
    """
    if not isinstance(builder, seqdigits_tfds.Builder):
        # Only prepared: TFDS has read the folder, and knows no class for it.
        if not builder.info.metadata:
            raise InputError(
                f"{builder.data_path} must say of which digits it is made, and"
                " does not, being of an earlier version; prepare the dataset"
                " anew, or use --train_source=records"
            )
        builder = seqdigits_tfds.Builder(
            config=SeqDigitsConfig(
                name=builder.builder_config.name, **builder.info.metadata
            ),
            data_dir=builder.data_dir_root,
        )
    source = builder.load_glyphs(manual_dir)
    pool = source.pools["train"]
    empty = np.zeros_like(source.images[:1])
    with tf.device("/CPU:0"):
        return RecomposedSplit(
            tf.constant(np.concatenate([source.images[pool], empty])),
            tf.constant(np.append(source.labels[pool], seqdigits_tfds.BLANK)),
            builder.builder_config,
        )


def _to_float(pixels: tf.Tensor) -> tf.Tensor:
    # Products and sums of these integers are exact in 64 bits, in any order.
    return tf.cast(pixels, tf.float64)


def _round(sums: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.floor(sums / 2**WEIGHT_BITS + 0.5), 0.0, 255.0)
