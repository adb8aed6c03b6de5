"""Glyphs from any image-classification dataset of TFDS."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core.file_adapters import FileFormat

from seqdigits_tfds.errors import InputError
from seqdigits_tfds.glyphs import (
    POOLS,
    GlyphSource,
    Pools,
    Settings,
    divide_by_six,
    resize,
)


def load_images(
    settings: Settings, data_dir: tfds.core.Path, _find_mnist: Any
) -> GlyphSource:
    """Loads an image-classification dataset of TFDS.

    The rows are its examples in the order in which TFDS reads them, split after
    split in the order of `builder.info.splits`. Colour becomes grey with the
    weights of ITU-R 601-2, as in Pillow.
    """
    builder = _open_builder(settings, data_dir)
    image_key, label_key = _find_keys(builder)
    height, width, channels = builder.info.features[image_key].shape
    size = (
        (settings.glyph_size,) * 2 if settings.glyph_size else (height, width)
    )
    if None in size:
        raise InputError(
            f"the images of {settings.source} have different sizes; set"
            " glyph_size to the height and width of a glyph, such as 28"
        )
    names = builder.info.features[label_key].names
    images, labels = [], []
    for example in _read_examples(builder, image_key):
        image = example[image_key]
        grey = image[..., 0] if channels == 1 else _to_grey(image)
        images.append(grey if grey.shape == size else resize(grey, size))
        labels.append(example[label_key])
    pools = _make_pools(settings, builder.info.splits)
    for pool, rows in pools.items():
        unlabelled = [row for row in rows if not 0 <= labels[row] < len(names)]
        if unlabelled:
            raise InputError(
                f"every glyph must have a label, but {len(unlabelled)} of"
                f" {len(rows)} in the pool {pool} of {settings.source} have"
                " none; choose other parts with source_splits"
            )
    stacked = np.stack(images)
    return GlyphSource.make(
        images=255 - stacked if settings.invert else stacked,
        labels=np.array(labels),
        pools=pools,
        class_names=names,
    )


def name_classes(settings: Settings, data_dir: tfds.core.Path) -> Sequence[str]:
    """Returns the names of the classes of a TFDS dataset."""
    builder = _open_builder(settings, data_dir)
    _, label_key = _find_keys(builder)
    return tuple(builder.info.features[label_key].names)


def _open_builder(
    settings: Settings, data_dir: tfds.core.Path
) -> tfds.core.DatasetBuilder:
    kind, _, name = settings.source.partition(":")
    if kind == "folder":
        path = tfds.core.Path(name).expanduser()
        builder = tfds.ImageFolder(path) if path.is_dir() else None
        if not builder or not sum(
            s.num_examples for s in builder.info.splits.values()
        ):
            raise InputError(
                f"{name} must have folders SPLIT/CLASS/*.png (or jpg), but no"
                " image was found"
            )
        return builder
    for directory in (data_dir, None):
        try:
            builder = tfds.builder(name, data_dir=directory)
        except (AssertionError, ValueError, tfds.core.DatasetNotFoundError):
            continue
        if builder.is_prepared():
            return builder
    raise InputError(
        f"source {settings.source} is not prepared in {data_dir} or in TFDS's"
        f" default directory; run `tfds build {name} --data_dir={data_dir}`"
    )


def _read_examples(
    builder: tfds.core.DatasetBuilder, image_key: str
) -> Iterator[Mapping[str, Any]]:
    """Reads all examples, split after split."""
    import tensorflow as tf

    # TFDS would otherwise interleave the files.
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    for split, info in builder.info.splits.items():
        if not info.num_examples:
            continue
        number = 0
        try:
            if builder.info.file_format is FileFormat.ARRAY_RECORD:
                examples = builder.as_data_source(split)
            else:
                examples = tfds.as_numpy(
                    builder.as_dataset(split=split, read_config=in_order)
                )
            for example in examples:
                yield example
                number += 1
        except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
            where = f"image {number} of {split} in {builder.info.full_name}"
            if "image/filename" in builder.info.features:  # A folder's.
                skip = {image_key: tfds.decode.SkipDecoding()}
                undecoded = builder.as_dataset(split=split, decoders=skip)
                (example,) = tfds.as_numpy(undecoded.skip(number).take(1))
                where = example["image/filename"].decode()
            raise InputError(
                f"{where} must be an image that TFDS can decode, but it can't"
                f" be read ({type(error).__name__}); repair it or remove it"
            ) from error


def _find_keys(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    """Returns the names of the image and of the label."""
    features = builder.info.features
    keys = []
    for kind in (tfds.features.Image, tfds.features.ClassLabel):
        found = [name for name in features if isinstance(features[name], kind)]
        preferred = [
            name
            for name in found
            if name in (builder.info.supervised_keys or ())
        ]
        if len(found) > 1 and len(preferred) == 1:
            found = preferred
        if len(found) != 1:
            raise InputError(
                f"a source needs exactly one {kind.__name__} feature, but"
                f" {builder.info.full_name} has {len(found)}; use an"
                " image-classification dataset"
            )
        keys += found
    image = features[keys[0]]
    if image.np_dtype != np.uint8 or image.shape[-1] not in (1, 3):
        raise InputError(
            f"the images of {builder.info.full_name} must be uint8 with 1 or 3"
            f" channels, got {np.dtype(image.np_dtype).name} {image.shape};"
            " convert them"
        )
    return keys[0], keys[1]


def _make_pools(settings: Settings, splits: tfds.core.SplitDict) -> Pools:
    """Divides the rows of a TFDS dataset among the pools.

    `source_splits` says which split or part of a split each pool has. Without
    it, the pools are the splits of the same names. If there is no `validation`,
    it is the last twelfth of `train`. With a single split, rows are divided
    modulo 6.
    """
    lengths = {name: split.num_examples for name, split in splits.items()}
    starts = dict(
        zip(lengths, np.cumsum([0, *lengths.values()]).tolist(), strict=False)
    )
    chosen = settings.source_splits
    if chosen is None:
        if len(lengths) == 1 and sum(lengths.values()) >= 6:
            return divide_by_six(np.arange(*lengths.values()))
        if "validation" in lengths:
            chosen = {pool: pool for pool in POOLS}
        else:
            cut = lengths.get("train", 0) * 11 // 12
            chosen = {
                "train": f"train[:{cut}]",
                "validation": f"train[{cut}:]",
                "test": "test",
            }
    pools = {}
    for pool in POOLS:
        try:
            parts = tfds.core.ReadInstruction.from_spec(
                chosen[pool]
            ).to_absolute(splits)
        except (AssertionError, KeyError, ValueError) as error:
            raise InputError(
                f"source {settings.source} has the splits {lengths}, from which"
                f" {chosen[pool]!r} for the pool {pool} can't be taken; set"
                " source_splits, such as"
                ' {"train": "train[:80%]", "validation": "train[80%:90%]",'
                ' "test": "train[90%:]"}'
            ) from error
        pools[pool] = np.concatenate(
            [
                starts[part.splitname]
                + np.arange(lengths[part.splitname])[part.from_ : part.to]
                for part in parts
            ]
        )
    used = np.concatenate(list(pools.values()))
    if len(np.unique(used)) < len(used) or not all(map(len, pools.values())):
        raise InputError(
            f"the pools of source {settings.source} must be disjoint and not"
            f" empty, got source_splits={dict(chosen)}; choose other parts"
        )
    return pools


def _to_grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).convert("L"))
