"""An endless stream of fresh training sequences of the digits of `train`.

Does in the `tf.data` graph what `seqdigits_tfds` does once with NumPy and
Pillow: draws lengths and digits, places the digits side by side, and resizes.
Given the same digits, the pixels are identical.
"""

import tensorflow as tf
import tensorflow_datasets as tfds

import seqdigits_tfds
from seqdigits_tfds import InputError, SeqDigitsConfig
from seqdigits_tfds.rendering import WEIGHT_BITS, make_resizing_weights
from trainer.data.randomness import Purpose, draw
from trainer.data.splits import Examples, Split


class FreshSplit(Split):
    """An endless training split: the row of each position is the position.

    Args:
      glyphs: uint8 [n + 1, h, w], the digits of the split's pool, then a blank.
      labels: int64 [n + 1], their classes.
      config: The dataset's configuration: number of positions, size of the
        images, and number of sequences that count as an epoch.
      seed: Determines all sequences, 0..2**32 - 1.
    """

    def __init__(
        self,
        glyphs: tf.Tensor,
        labels: tf.Tensor,
        config: SeqDigitsConfig,
        seed: int,
    ) -> None:
        self.glyphs = glyphs
        self.labels = labels
        self.config = config
        self._seed = seed

    def __len__(self) -> int:
        return self.config.num_train

    def order(self, seed: int, positions: tf.Tensor) -> tf.Tensor:
        """See `Split.order`. Every epoch has new sequences."""
        return positions

    def read(self, rows: tf.Tensor) -> Examples:
        """See `Split.read`; rows are consecutive."""
        return self.compose(self.draw(rows))

    def draw(self, rows: tf.Tensor) -> tf.Tensor:
        """Draws the digits of sequences.

        Args:
          rows: int64 [b], consecutive.

        Returns:
          int64 [b, positions], indices into `glyphs`.
        """
        max_digits = self.config.max_digits
        num_glyphs = len(self.labels) - 1
        words = draw(
            self._seed,
            Purpose.COMPOSITION,
            rows,
            [1 + max_digits],
            tf.uint64,
        )
        numbers = words % [max_digits, *[num_glyphs] * max_digits]
        numbers = tf.cast(numbers, tf.int64)
        used = tf.range(max_digits, dtype=tf.int64) <= numbers[:, :1]
        return tf.where(used, numbers[:, 1:], num_glyphs)

    def compose(self, indices: tf.Tensor) -> Examples:
        """Makes the images and labels of sequences, int64 [b, positions]."""
        _, height, width = self.glyphs.shape
        config = self.config
        cells = tf.transpose(tf.gather(self.glyphs, indices), [0, 2, 1, 3])
        row = tf.reshape(cells, [-1, height, config.max_digits * width])
        # Like Pillow: the width first, then the height of the rounded result.
        columns = make_resizing_weights(row.shape[2], config.image_width)
        rows = make_resizing_weights(height, config.image_height)
        image = _round(tf.einsum("bhw,wx->bhx", _to_float(row), columns))
        image = _round(tf.einsum("bhx,hy->byx", image, rows))
        return {
            "image": tf.cast(image[..., None], tf.uint8),
            "label": tf.gather(self.labels, indices),
        }


def make_fresh_split(
    builder: tfds.core.DatasetBuilder,
    seed: int,
    manual_dir: str | None = None,
) -> FreshSplit:
    """Makes an endless split from the digits of `train`'s pool.

    Args:
      builder: A prepared builder of `seqdigits`.
      seed: Determines all sequences, 0..2**32 - 1.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.

    Raises:
      InputError: If the digits can't be loaded, or the dataset does not record
        which digits it consists of.
    """
    if not isinstance(builder, seqdigits_tfds.Builder):
        # TFDS reads a prepared custom config without its builder class.
        if not builder.info.metadata:
            raise InputError(
                f"{builder.data_path} was prepared by an earlier version, which"
                " did not record the digits it consists of; prepare the dataset"
                " again, or use --train_sequences=stored"
            )
        builder = seqdigits_tfds.Builder(
            config=SeqDigitsConfig(
                name=builder.builder_config.name, **builder.info.metadata
            ),
            data_dir=builder.data_dir_root,
        )
    source = builder.load_glyphs(manual_dir)
    glyphs, labels = source.append_blank(source.pools["train"])
    with tf.device("/CPU:0"):
        return FreshSplit(
            tf.constant(glyphs),
            tf.constant(labels),
            builder.builder_config,
            seed,
        )


def _to_float(pixels: tf.Tensor) -> tf.Tensor:
    # Products and sums of these integers are exact in float64, in any order.
    return tf.cast(pixels, tf.float64)


def _round(sums: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.floor(sums / 2**WEIGHT_BITS + 0.5), 0.0, 255.0)
