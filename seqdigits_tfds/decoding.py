"""Decodes records of any TFDS dataset, a batch at a time."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf
import tensorflow_datasets as tfds

from seqdigits_tfds import png
from seqdigits_tfds.errors import InputError

Features = Mapping[str, tfds.features.FeatureConnector]


def choose_features(
    info: tfds.core.DatasetInfo, names: Sequence[str] | None = None
) -> Features:
    """Chooses features of a dataset, all of which must have a fixed shape.

    Args:
      info: The dataset's metadata.
      names: Names of features at the top level; None for all of them.

    Raises:
      InputError: If a feature does not exist, or its values can't be stacked in
        batches.
    """
    features = info.features
    problems = {
        name: problem
        for name in sorted(features)
        if (problem := _why_not_batchable(features[name]))
    }
    chosen = sorted(features) if names is None else names
    refused = [
        f"{name!r} {problems.get(name, 'does not exist')}"
        for name in chosen
        if name in problems or name not in features
    ]
    if refused:
        possible = sorted(features.keys() - problems.keys())
        raise InputError(
            f"features of {info.full_name} must exist and have a fixed"
            f" shape, but {', '.join(refused)}; choose features={possible} or"
            " some of these"
        )
    return {name: features[name] for name in chosen}


def _why_not_batchable(feature: tfds.features.FeatureConnector) -> str | None:
    info = feature.get_tensor_info()
    if not isinstance(info, tfds.features.TensorInfo):
        return "consists of several features"
    if info.tf_dtype == tf.string:
        return "is text"
    if None in info.shape:
        return f"has a varying shape, {info.shape}"
    return None


def decode_records(
    records: tf.Tensor, features: Features
) -> dict[str, tf.Tensor]:
    """Decodes a batch of records.

    Args:
      records: string [b], serialised `tf.train.Example`s.
      features: From `choose_features`.

    Returns:
      A tensor [b, ...] for each feature, of the feature's shape and dtype.
    """
    stored = {
        name: feature.get_serialized_info()
        for name, feature in features.items()
    }
    parsed = tf.io.parse_example(
        records,
        {
            name: tf.io.FixedLenFeature(info.shape, _stored_dtype(info))
            for name, info in stored.items()
        },
    )
    return {
        name: tf.ensure_shape(
            _decode(parsed[name], feature),
            (records.shape[0], *feature.get_tensor_info().shape),
        )
        for name, feature in features.items()
    }


def _stored_dtype(info: tfds.features.TensorInfo) -> tf.DType:
    """Returns the one of the three dtypes of `tf.train.Example` in use."""
    if info.tf_dtype == tf.string:
        return tf.string
    return tf.float32 if info.tf_dtype.is_floating else tf.int64


def _decode(
    values: tf.Tensor, feature: tfds.features.FeatureConnector
) -> tf.Tensor:
    shape = feature.get_tensor_info().shape
    dtype = feature.get_tensor_info().tf_dtype
    if values.dtype != tf.string:
        return tf.cast(values, dtype)

    def decode_each() -> tf.Tensor:
        return tf.map_fn(
            feature.decode_example,
            values,
            fn_output_signature=tf.TensorSpec(shape, dtype),
        )

    if (
        isinstance(feature, tfds.features.Image)
        and dtype == tf.uint8
        and shape[-1] == 1
    ):
        return decode_pngs(values, shape, decode_each)
    return decode_each()


def decode_pngs(
    pngs: tf.Tensor,
    shape: tuple[int, int, int],
    decode_each: Callable[[], tf.Tensor],
) -> tf.Tensor:
    """Decodes greyscale PNGs of one size.

    TensorFlow has no op that decodes a batch of PNGs, but it has one that
    inflates a batch of zlib streams. That is enough for plain PNGs, which
    `seqdigits_tfds.png` defines. Any other batch is decoded image by image,
    which takes twice the time.

    Args:
      pngs: string [b].
      shape: (height, width, 1).
      decode_each: Decodes any images, one by one.

    Returns:
      uint8 [b, height, width, 1].
    """
    height, width, _ = shape
    rows = tf.cond(
        _have_plain_layout(pngs, height, width),
        lambda: _inflate(pngs, height, width),
        lambda: tf.fill((1, 1, 1), tf.constant(png.NO_FILTER + 1, tf.uint8)),
    )
    return tf.cond(
        tf.reduce_all(rows[:, :, 0] == png.NO_FILTER),
        lambda: rows[:, :, 1:, tf.newaxis],
        decode_each,
    )


def _have_plain_layout(pngs: tf.Tensor, height: int, width: int) -> tf.Tensor:
    header = png.make_header(height, width)
    lengths = tf.io.decode_raw(
        tf.strings.substr(pngs, png.LENGTH_OFFSET, 4),
        tf.int32,
        little_endian=False,
    )
    # If the first data chunk fills the file, it is the only one.
    return tf.reduce_all(
        (tf.strings.substr(pngs, 0, len(header)) == header)
        & (tf.reshape(lengths, [-1]) == tf.strings.length(pngs) - png.OVERHEAD)
    )


def _inflate(pngs: tf.Tensor, height: int, width: int) -> tf.Tensor:
    lengths = tf.strings.length(pngs) - png.OVERHEAD
    offsets = tf.fill(tf.shape(lengths), png.DATA_OFFSET)
    streams = tf.strings.substr(pngs, offsets, lengths)
    rows = tf.io.decode_raw(tf.io.decode_compressed(streams, "ZLIB"), tf.uint8)
    return tf.reshape(rows, (-1, height, 1 + width))
