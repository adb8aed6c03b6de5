"""Random configs: valid ones keep the promises, others are refused."""

import re

import numpy as np
import pytest
import tensorflow_datasets as tfds

import seqdigits_tfds
from redraw import find_box, redraw
from seqdigits_tfds import InputError, SeqDigitsConfig, Sequences
from seqdigits_tfds.verify import verify_dataset

RANGES = {
    "gap": (-6, 12),
    "scale": (0.3, 3.0),
    "rotation": (-180.0, 180.0),
    "shift": (-30, 30),
    "brightness": (0.1, 1.0),
    "clutter": (0, 5),
    "noise": (0.0, 64.0),
}
"""Type and limits of the ranges in use."""

INVALID = {
    "source": ["svhn", "tfds:", "folder", 3, None],
    "layout": ["circle", None, 1],
    "min_digits": [0, -1, 6, 1.0, "1", True, None],
    "max_digits": [0, 101, "5", 2.5, None, [5]],
    "max_train_digits": [0, 6, 101, "4", 1.5],
    "image_height": [0, -4, 5000, "64", None],
    "image_width": [0, 4097, 64.0, None, 19],
    "glyph_size": [3, 2000, "28", 28],
    "invert": [1, "yes", None],
    "masks": [0, "no", None],
    "source_splits": ["train", {"train": "train"}, {"train": 1}, 5],
    "gap": [[1, 0], [0], 3, [0, 1.5], [-101, 0], [0, 1001], "wide", None],
    "scale": [[0, 1], [1, 11], [2, 1], [1], 1, [True, 2], None],
    "rotation": [[-181, 0], [0, 181], [10, -10], ["a", "b"], None],
    "shift": [[3, 2], [0, 0.5], [0, 5000], 1, None],
    "brightness": [[0, 1], [0.5, 1.5], [0.9, 0.8], None],
    "clutter": [[-1, 0], [0, 101], [2, 1], [0, 0.5], None],
    "noise": [[-1, 0], [0, 65], [2, 1], [0, "1"], None],
    "seed": [-1, 1.0, "1", None, True],
    "num_train": [0, -1, "10", 1.5, None],
    "num_validation": [0, None],
    "num_test": [0, False],
    "num_ood": [-1, "1", None],
}
"""Values that a scattered config of `optdigits` must refuse."""


def draw_config(number):
    """Returns the fields of a random valid config."""
    rng = np.random.default_rng(number)
    scattered = bool(rng.integers(4))
    max_digits = int(rng.integers(1, 9))
    fields = {
        "source": "optdigits",
        "layout": "scattered" if scattered else "tiled",
        "max_digits": max_digits,
        "image_height": int(rng.integers(8, 80)),
        "image_width": int(rng.integers(4 * max_digits, 200)),
        "seed": int(rng.integers(2**40)),
        "num_train": int(rng.integers(1, 20)),
        "num_validation": int(rng.integers(1, 5)),
        "num_test": int(rng.integers(1, 5)),
    }
    if rng.integers(2):
        fields["max_train_digits"] = int(rng.integers(1, max_digits + 1))
    longest = fields.get("max_train_digits", max_digits)
    fields["min_digits"] = int(rng.integers(1, longest + 1))
    if longest >= 2 and rng.integers(2):
        fields["num_ood"] = int(rng.integers(1, 5))
    for field, limits in RANGES.items():
        if rng.integers(2) and (scattered or field in ("clutter", "noise")):
            integers = isinstance(limits[0], int)
            draw = rng.integers if integers else rng.uniform
            ends = sorted(draw(*limits, 2).tolist())
            fields[field] = ends if rng.integers(2) else tuple(ends)
    if scattered:
        fields["masks"] = bool(rng.integers(2))
    return fields


def check(fields, data_dir, name):
    """Builds a config, and checks its examples and its verification."""
    config = SeqDigitsConfig(name=name, **fields)
    builder = seqdigits_tfds.Builder(data_dir=data_dir, config=config)
    builder.download_and_prepare()
    source = Sequences(config).source
    longest = fields.get("max_train_digits", fields["max_digits"])
    for split, settings in builder.info.splits.items():
        examples = tfds.as_numpy(
            builder.as_dataset(split=split, batch_size=settings.num_examples)
        )
        (examples,) = examples
        lengths, ids = examples["length"], examples["glyph_id"]
        if split == "test_longer":
            limits = longest + 1, fields["max_digits"]
        else:
            limits = fields["min_digits"], longest
        assert lengths.min() >= limits[0]
        assert lengths.max() <= limits[1]
        used = np.arange(fields["max_digits"]) < lengths[:, None]
        assert ((ids >= 0) == used).all()
        assert (
            examples["label"] == np.where(used, source.labels[ids], 10)
        ).all()
        pool = source.pools[split if split in source.pools else "test"]
        assert np.isin(ids[used], pool).all()
        if split != "test_longer" and "num_ood" in fields:
            sums = np.where(used, examples["label"], 0).sum(axis=1)
            withheld = (sums % 10 == 0) & (lengths >= 2)
            assert (withheld == (split == "test_unseen")).all()
        if fields["layout"] == "tiled":
            continue
        shape = fields["image_height"], fields["image_width"]
        for example, position in np.argwhere(used):
            ink = redraw(
                source.images[ids[example, position]],
                examples["transform"][example, position],
                shape,
            )
            # Brightness removes ink that is too faint: ink of 1 if it is less
            # than one half, and never ink of more than 5.
            darkest = fields.get("brightness", (0.6, 1))[0]
            faintest = range(1, 2 if darkest > 0.5 else 6)
            assert any(
                (
                    examples["bbox"][example, position]
                    == find_box(ink >= least)
                ).all()
                for least in faintest
            )
    digest = verify_dataset(builder.data_path)
    assert digest == builder.info.metadata["digest"]


@pytest.mark.parametrize("number", range(4))
def test_valid_configs_keep_the_promises(number, tmp_path):
    check(draw_config(number), tmp_path, f"random_{number}")


@pytest.mark.long
def test_many_valid_configs_keep_the_promises(tmp_path):
    for number in range(200):
        check(draw_config(1_000 + number), tmp_path, f"random_{number}")


def refuse(field, value, **others):
    """Checks that a value is refused in one line that names field and value."""
    fields = {"source": "optdigits", "layout": "scattered", **others}
    fields[field] = value
    with pytest.raises(InputError) as caught:
        SeqDigitsConfig(name="bad", **fields)
    message = str(caught.value)
    assert "\n" not in message
    assert re.search(
        rf"{field} must be .*, got {re.escape(repr(value))}", message
    )


@pytest.mark.parametrize("field", INVALID)
def test_invalid_values_are_refused(field):
    for value in INVALID[field]:
        refuse(field, value)


def test_invalid_values_are_found_among_valid_ones():
    rng = np.random.default_rng(0)
    for number in range(200):
        field = str(rng.choice(list(INVALID)))
        value = INVALID[field][rng.integers(len(INVALID[field]))]
        valid = draw_config(number)
        others = {name: valid[name] for name in RANGES if name in valid}
        refuse(field, value, **others)
