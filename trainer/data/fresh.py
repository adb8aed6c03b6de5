"""An endless stream of fresh training sequences of the digits of `train`.

Does in the `tf.data` graph what `seqdigits_tfds` does once with NumPy and
Pillow: draws lengths and digits, places the digits side by side, and resizes.
Given the same digits, the pixels are identical.
"""

import dataclasses

import tensorflow as tf
import tensorflow_datasets as tfds

import seqdigits_tfds
from seqdigits_tfds import InputError, SeqDigitsConfig
from seqdigits_tfds.rendering import WEIGHT_BITS, make_resizing_weights
from trainer.data.randomness import ALGORITHM, Purpose, make_seed

_BLOCK = 1024
"""Number of sequences drawn at a time."""


@dataclasses.dataclass(frozen=True, eq=False)
class FreshSplit:
    """An endless training split. A key holds the digits of one sequence.

    Attributes:
      glyphs: uint8 [n + 1, h, w], the digits of the split's pool, then a blank.
      labels: int64 [n + 1], their classes.
      config: The dataset's configuration: number of positions, size of the
        images, and number of sequences that count as an epoch.
    """

    glyphs: tf.Tensor
    labels: tf.Tensor
    config: SeqDigitsConfig

    def __len__(self) -> int:
        return self.config.num_train

    def shuffle(self, seed: int, start: int) -> tf.data.Dataset:
        """See `splits.TrainSplit.shuffle`. Each epoch has new sequences.

        A key is int64 [positions], rows of `glyphs`.
        """
        num_glyphs = len(self.labels) - 1
        first_block, num_done = divmod(start, _BLOCK)
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
            return rows[tf.where(block == first_block, num_done, 0) :]

        return tf.data.Dataset.counter(first_block).map(draw)

    def decode(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `splits.TrainSplit.decode`; keys are int64 [b, positions]."""
        _, height, width = self.glyphs.shape
        config = self.config
        cells = tf.transpose(tf.gather(self.glyphs, keys), [0, 2, 1, 3])
        row = tf.reshape(cells, [-1, height, config.max_digits * width])
        # Like Pillow: the width first, then the height of the rounded result.
        columns = make_resizing_weights(row.shape[2], config.image_width)
        rows = make_resizing_weights(height, config.image_height)
        image = _round(tf.einsum("bhw,wx->bhx", _to_float(row), columns))
        image = _round(tf.einsum("bhx,hy->byx", image, rows))
        image = tf.cast(image[..., None], tf.uint8)
        return image, tf.gather(self.labels, keys)


def make_fresh_split(
    builder: tfds.core.DatasetBuilder, manual_dir: str | None = None
) -> FreshSplit:
    """Makes an endless split from the digits of `train`'s pool.

    Args:
      builder: A prepared builder of `seqdigits`.
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
            tf.constant(glyphs), tf.constant(labels), builder.builder_config
        )


def _to_float(pixels: tf.Tensor) -> tf.Tensor:
    # Products and sums of these integers are exact in float64, in any order.
    return tf.cast(pixels, tf.float64)


def _round(sums: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.floor(sums / 2**WEIGHT_BITS + 0.5), 0.0, 255.0)
