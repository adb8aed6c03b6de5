import dataclasses

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_datasets as tfds

import seqdigits_tfds
from seqdigits_tfds import BLANK, NO_GLYPH, InputError
from trainer.data import make_train_dataset
from trainer.data.fresh import make_fresh_split


def make_split(name, data_dir, mnist_dir=None, seed=0):
    builder = tfds.builder(f"seqdigits/{name}", data_dir=data_dir)
    return make_fresh_split(builder, seed, mnist_dir)


@pytest.fixture(scope="module")
def tiny(tiny_data_dir):
    return make_split("tiny", tiny_data_dir)


def draw(split, num_sequences, start=0):
    """Returns the glyphs of sequences, int64 [n, positions]."""
    rows = tf.range(start, start + num_sequences, dtype=tf.int64)
    return split.draw(rows).numpy()


def test_pixels_equal_those_of_the_dataset(request, prepared):
    """Composes all training examples of each config again, in the graph."""
    name, data_dir = prepared
    mnist_dir = (
        request.getfixturevalue("mnist_dir") if name == "mnist" else None
    )
    split = make_split(name, data_dir, mnist_dir)
    builder = tfds.builder(f"seqdigits/{name}", data_dir=data_dir)
    pool = builder.load_glyphs(mnist_dir).pools["train"]
    compose = tf.function(split.compose)
    examples = builder.as_dataset(split="train").batch(1000)
    count = 0
    for example in tfds.as_numpy(examples):
        ids = example["glyph_id"]
        rows = np.searchsorted(pool, ids)
        found = compose(np.where(ids == NO_GLYPH, len(pool), rows))
        for feature in ("image", "label"):
            assert (found[feature] == example[feature]).numpy().all()
        count += len(ids)
    assert count == len(split) == builder.info.splits["train"].num_examples


def test_lengths_and_digits_are_drawn_as_in_the_dataset(tiny):
    keys = draw(tiny, 20_000)
    num_glyphs = len(tiny.labels) - 1
    used = keys < num_glyphs
    assert (keys[~used] == num_glyphs).all()
    assert (np.diff(used.astype(int), axis=1) <= 0).all()  # Left-aligned.
    lengths = np.bincount(used.sum(axis=1), minlength=6)
    assert lengths[0] == 0
    assert scipy.stats.chisquare(lengths[1:]).pvalue > 1e-3
    for position in range(5):
        digits = keys[used[:, position], position]
        counts = np.bincount(digits, minlength=num_glyphs)
        assert scipy.stats.chisquare(counts).pvalue > 1e-3
    # Positions are independent.
    both = keys[used[:, 1]]
    assert abs(np.corrcoef(both[:, 0], both[:, 1])[0, 1]) < 0.04


def test_only_the_digits_of_train_are_used(tiny, mnist_dir):
    source = seqdigits_tfds.Builder(config="optdigits").load_glyphs()
    pool = source.pools["train"]
    assert (tiny.glyphs[:-1].numpy() == source.images[pool]).all()
    assert not tiny.glyphs[-1].numpy().any()
    assert tiny.labels[-1] == BLANK
    mnist = seqdigits_tfds.Builder(config="mnist").load_glyphs(str(mnist_dir))
    split = make_fresh_split(
        seqdigits_tfds.Builder(config="mnist"), 0, str(mnist_dir)
    )
    assert (split.glyphs[:-1].numpy() == mnist.images[:55_000]).all()


def test_epochs_and_seeds_have_different_sequences(tiny, tiny_data_dir):
    keys = draw(tiny, 3 * len(tiny))
    # Sequences of one or two digits may repeat by chance.
    long = keys[keys[:, 2] < len(tiny.labels) - 1]
    assert len(np.unique(long, axis=0)) == len(long) > len(tiny)
    other = draw(make_split("tiny", tiny_data_dir, seed=1), 3 * len(tiny))
    assert (keys != other).any(axis=1).mean() > 0.99


@pytest.mark.parametrize("start", [1, 1023, 1024, 5000])
def test_reading_can_start_anywhere(tiny, start):
    whole = draw(tiny, 6_000)
    assert (draw(tiny, 900, start) == whole[start:][:900]).all()


def test_the_result_does_not_depend_on_the_batch(tiny):
    eager = tiny.read(tf.range(100, dtype=tf.int64))["image"].numpy()
    for size in (1, 7, 100):
        dataset = (
            tf.data.Dataset.range(100)
            .batch(size)
            .map(lambda rows: tiny.read(rows)["image"], num_parallel_calls=2)
            .unbatch()
        )
        assert (eager == list(dataset.as_numpy_iterator())).all()


def test_batches_have_the_sequences_of_their_positions(tiny):
    batches = make_train_dataset(tiny, 100, seed=0, start_step=7)
    for positions, examples in batches.take(3):
        expected = tiny.read(positions)
        assert (positions[0] - 700).numpy() % 100 == 0
        for name, values in examples.items():
            assert (values == expected[name]).numpy().all()


def test_a_prepared_folder_records_its_source(tiny, tiny_data_dir):
    """Even if the config is only known from the folder."""
    builder = tfds.builder_from_directory(
        next(tiny_data_dir.glob("seqdigits/tiny/*"))
    )
    assert dict(builder.info.metadata) == tiny.config.settings


def test_a_folder_without_the_source_is_rejected(tiny_data_dir, tmp_path):
    builder = tfds.builder("seqdigits/tiny", data_dir=tiny_data_dir)
    without_metadata = tfds.core.DatasetInfo(
        builder=builder, features=builder.info.features
    )
    builder = dataclasses.make_dataclass(
        "Folder", [("info", object), ("data_path", object)]
    )(without_metadata, tmp_path)
    with pytest.raises(InputError, match="--train_sequences=stored"):
        make_fresh_split(builder, 0)
