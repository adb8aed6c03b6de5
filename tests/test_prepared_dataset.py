"""Compares the prepared dataset with its glyph sources."""

import functools
import pickle

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from scipy import stats

import seqdigits_tfds
from glyph_sources import read_glyphs
from helpers import TINY
from seqdigits_tfds import InputError, SeqDigitsConfig

NUM_EXAMPLES = {
    "optdigits": {"train": 20_000, "validation": 2_000, "test": 4_000},
    "mnist": {"train": 60_000, "validation": 5_000, "test": 10_000},
}

BLANK = 10
# TFDS would otherwise take turns between the files.
IN_ORDER = tfds.ReadConfig(interleave_cycle_length=1)


@functools.cache
def read(config_name, data_dir):
    """Returns all splits as arrays."""
    return {
        split: tfds.as_numpy(
            tfds.load(
                f"seqdigits/{config_name}",
                split=split,
                data_dir=data_dir,
                batch_size=-1,
                read_config=IN_ORDER,
            )
        )
        for split in NUM_EXAMPLES[config_name]
    }


def test_features_are_as_documented(prepared):
    config_name, data_dir = prepared
    builder = tfds.builder(f"seqdigits/{config_name}", data_dir=data_dir)
    features = builder.info.features
    assert features["image"].shape == (64, 64, 1)
    assert features["image"].np_dtype == np.uint8
    assert features["label"].shape == (5,)
    assert features["label"].feature.names == [*"0123456789", "blank"]
    assert features["length"].shape == ()
    assert features["glyph_id"].shape == (5,)
    for name in ("label", "length", "glyph_id"):
        assert features[name].np_dtype == np.int64
    assert builder.info.supervised_keys == ("image", "label")
    assert all(split.num_shards == 8 for split in builder.info.splits.values())


def test_every_example_can_be_derived_from_its_glyph_ids(prepared, mnist_dir):
    config_name, data_dir = prepared
    glyph_images, glyph_labels, _ = read_glyphs(config_name, mnist_dir)
    for split, examples in read(config_name, data_dir).items():
        assert len(examples["image"]) == NUM_EXAMPLES[config_name][split]
        for image, label, length, glyph_id in zip(
            examples["image"],
            examples["label"],
            examples["length"],
            examples["glyph_id"],
            strict=True,
        ):
            used = glyph_id[glyph_id >= 0]
            assert len(used) == length
            assert (glyph_id[length:] == -1).all()
            assert label[:length].tolist() == glyph_labels[used].tolist()
            assert (label[length:] == BLANK).all()
            row = np.zeros((28, 140), np.uint8)
            row[:, : 28 * length] = np.concatenate(
                list(glyph_images[used]), axis=1
            )
            resized = Image.fromarray(row).resize((64, 64), Image.BILINEAR)
            assert (image[..., 0] == np.array(resized)).all()


def test_no_row_is_used_by_two_splits(prepared, mnist_dir):
    config_name, data_dir = prepared
    _, _, pools = read_glyphs(config_name, mnist_dir)
    for split, examples in read(config_name, data_dir).items():
        used = set(np.unique(examples["glyph_id"]).tolist()) - {-1}
        assert used <= pools[split]
    assert not pools["train"] & pools["validation"]
    assert not pools["test"] & (pools["train"] | pools["validation"])


def test_lengths_are_uniform(prepared):
    for examples in read(*prepared).values():
        counts = np.bincount(examples["length"], minlength=6)[1:]
        assert stats.chisquare(counts).pvalue > 0.001


def test_digits_are_distributed_as_in_the_source(prepared, mnist_dir):
    config_name, data_dir = prepared
    _, glyph_labels, pools = read_glyphs(config_name, mnist_dir)
    for split, examples in read(config_name, data_dir).items():
        labels = examples["label"]
        counts = np.bincount(labels[labels < 10], minlength=10)
        shares = np.bincount(glyph_labels[list(pools[split])]) / len(
            pools[split]
        )
        expected = shares * counts.sum()
        assert stats.chisquare(counts, expected).pvalue > 0.001


@pytest.mark.parametrize(
    ("options", "num_shards"),
    [
        ({"num_shards": 3}, 3),
        ({"num_shards": 7, "max_examples_per_split": 5}, 5),
        ({"max_examples_per_split": 100}, 8),
        ({"max_examples_per_split": 5}, 5),
    ],
)
def test_size_and_shards_do_not_change_examples(
    optdigits_data_dir, tmp_path, options, num_shards
):
    builder = seqdigits_tfds.Builder(data_dir=tmp_path, config="optdigits")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(**options)
    )
    limit = options.get("max_examples_per_split")
    assert {s.num_shards for s in builder.info.splits.values()} == {num_shards}
    all_examples = read("optdigits", optdigits_data_dir)
    for split, examples in read("optdigits", tmp_path).items():
        num_examples = limit or NUM_EXAMPLES["optdigits"][split]
        for name, values in examples.items():
            assert len(values) == num_examples
            assert (values == all_examples[split][name][:num_examples]).all()


def test_the_number_of_shards_is_positive(tmp_path):
    builder = seqdigits_tfds.Builder(data_dir=tmp_path, config="optdigits")
    with pytest.raises(InputError, match="must be at least 1, got -1"):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(num_shards=-1)
        )
    assert not builder.is_prepared()


def test_the_names_of_standard_configs_are_theirs():
    config = SeqDigitsConfig(name="mnist", num_train=1_000)
    with pytest.raises(InputError, match="'mnist' is that of a standard"):
        seqdigits_tfds.Builder(config=config)
    # Dataset cards show how to build one.
    known = seqdigits_tfds.Builder.BUILDER_CONFIGS[0]
    same = SeqDigitsConfig(name=known.name, **known.settings)
    builder = seqdigits_tfds.Builder(config=same)
    assert builder.builder_config is known
    assert pickle.loads(pickle.dumps(builder)).builder_config is known


def test_other_settings_need_another_name(tiny_data_dir):
    config = SeqDigitsConfig(source="optdigits", **{**TINY, "num_train": 100})
    builder = seqdigits_tfds.Builder(config=config, data_dir=tiny_data_dir)
    with pytest.raises(InputError, match="prepared with num_train=480, not 1"):
        builder.download_and_prepare()


def test_a_small_build_has_the_first_examples(tmp_path, mnist_dir):
    """The examples are the first of the plan, not just any of a full build."""
    builder = seqdigits_tfds.Builder(data_dir=tmp_path, config="mnist")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=mnist_dir, max_examples_per_split=100
        )
    )
    built = [
        example["glyph_id"].tolist()
        for example in tfds.as_numpy(
            builder.as_dataset(split="test", read_config=IN_ORDER)
        )
    ]
    _, labels, _ = read_glyphs("mnist", mnist_dir)
    plan = seqdigits_tfds.composition.plan_examples(
        np.arange(100),
        seed=101,
        split="test",
        pool=seqdigits_tfds.composition.Pool(
            np.arange(60_000, 70_000), labels[60_000:], 10
        ),
        min_digits=1,
        max_digits=5,
        num_positions=5,
    )
    assert built == plan.glyph_ids.tolist()


def test_a_custom_config_has_its_own_shape(tmp_path):
    config = seqdigits_tfds.SeqDigitsConfig(
        name="wide",
        source="optdigits",
        max_digits=8,
        image_width=128,
        num_train=30,
        num_validation=20,
        num_test=10,
    )
    builder = seqdigits_tfds.Builder(data_dir=tmp_path, config=config)
    builder.download_and_prepare()
    examples = tfds.as_numpy(builder.as_dataset(split="train", batch_size=-1))
    assert examples["image"].shape == (30, 64, 128, 1)
    assert examples["label"].shape == (30, 8)
    assert examples["length"].max() > 5


def test_metadata_is_complete(optdigits_data_dir):
    builder = tfds.builder("seqdigits/optdigits", data_dir=optdigits_data_dir)
    info = builder.info
    assert "28x28" in info.description
    for name in ("lecun1998gradient", "alpaydin1998optdigits"):
        assert name in info.citation
    assert "CC BY 4.0" in info.redistribution_info.license
    assert info.release_notes.keys() == {"1.0.0", "2.0.0"}
    assert builder.builder_config.description
    for feature in info.features.values():
        assert feature._doc.desc
    assert "ml.task.image-classification" in builder.get_metadata().tags
    mnist = tfds.builder("seqdigits/mnist", data_dir=optdigits_data_dir)
    assert "CC BY-SA 3.0" in mnist.info.redistribution_info.license
