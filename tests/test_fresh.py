"""Fresh training sequences, as the trainer makes them."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from glyph_sources import read_glyphs
from seqdigits_tfds import InputError, Sequences
from seqdigits_tfds.builder_config import DEFAULT_SEED
from seqdigits_tfds.configs import restore_config
from trainer.config import TrainConfig
from trainer.data import dataset, make_train_dataset, open_split
from trainer.data.sequences import FEATURES
from trainer.train import _open_splits

LAST_SEED = 2**32 - 1


def make_split(name, data_dir, mnist_dir=None, seed=0):
    """Returns what a run trains on."""
    builder = tfds.builder(f"seqdigits/{name}", data_dir=data_dir)
    config = TrainConfig(
        dataset=f"seqdigits/{name}",
        data_dir=str(data_dir),
        manual_dir=str(mnist_dir) if mnist_dir else None,
        train_sequences="fresh",
        input="disk",
        seed=seed,
    )
    return _open_splits(builder, config)["train"]


@pytest.fixture(scope="module")
def tiny(tiny_data_dir):
    return make_split("tiny", tiny_data_dir)


def read(split, num_sequences, start=0):
    """Returns the features of sequences, as arrays."""
    rows = tf.range(start, start + num_sequences, dtype=tf.int64)
    return {name: value.numpy() for name, value in split.read(rows).items()}


def assert_equal(found, expected):
    assert found.keys() == set(FEATURES)
    for name, values in found.items():
        assert values.dtype == expected[name].dtype
        assert (values == expected[name]).all()


def test_sequences_of_the_datasets_seed_begin_with_the_stored_ones(
    request, prepared
):
    """Compares all training examples of both configs."""
    name, data_dir = prepared
    mnist_dir = (
        request.getfixturevalue("mnist_dir") if name == "mnist" else None
    )
    split = make_split(name, data_dir, mnist_dir, seed=DEFAULT_SEED)
    builder = tfds.builder(f"seqdigits/{name}", data_dir=data_dir)
    stored = open_split(builder, "train", FEATURES, from_disk=True)
    assert len(split) == len(stored) == restore_config(builder.info).num_train
    for start in range(0, len(stored), 1000):
        assert_equal(read(split, 1000, start), read(stored, 1000, start))


@pytest.mark.parametrize("seed", [0, LAST_SEED])
def test_only_the_digits_of_train_are_used(prepared, mnist_dir, seed):
    name, data_dir = prepared
    builder = tfds.builder(f"seqdigits/{name}", data_dir=data_dir)
    sequences = Sequences(
        dataclasses.replace(builder.builder_config, seed=seed),
        manual_dir=str(mnist_dir),
    )
    expected = sequences.make_examples(np.arange(5_000))
    _, labels, pools = read_glyphs(name, mnist_dir)
    used = expected["glyph_id"][expected["glyph_id"] >= 0]
    assert set(used.tolist()) <= pools["train"]
    digits = expected["label"][expected["glyph_id"] >= 0]
    assert (digits == labels[used]).all()
    split = make_split(name, data_dir, mnist_dir, seed)
    found = read(split, 5_000)
    assert_equal(found, {name: expected[name] for name in FEATURES})


def test_epochs_and_seeds_have_different_sequences(tiny, tiny_data_dir):
    found = read(tiny, 3 * len(tiny))
    # Sequences of one or two digits may repeat by chance.
    long = found["image"][found["label"][:, 2] < 10]
    unique = {image.tobytes() for image in long}
    assert len(unique) == len(long) > len(tiny)
    other = read(make_split("tiny", tiny_data_dir, seed=1), 3 * len(tiny))
    differ = (found["image"] != other["image"]).any(axis=(1, 2, 3))
    assert differ.mean() > 0.99


@pytest.mark.parametrize("start", [1, 479, 480, 1024])
def test_reading_can_start_anywhere(tiny, start):
    whole = read(tiny, 2_000)
    found = read(tiny, 900, start)
    assert_equal(found, {k: v[start:][:900] for k, v in whole.items()})
    assert read(tiny, 0, start)["image"].shape == (0, 64, 64, 1)


def test_the_result_does_not_depend_on_the_batch(tiny):
    eager = read(tiny, 100)["image"]
    for size in (1, 7, 100):
        batches = (
            tf.data.Dataset.range(100)
            .batch(size)
            .map(lambda rows: tiny.read(rows)["image"], num_parallel_calls=2)
            .unbatch()
        )
        assert (eager == list(batches.as_numpy_iterator())).all()


def test_batches_have_the_sequences_of_their_positions(tiny):
    batches = make_train_dataset(tiny, 100, seed=0, start_step=7)
    for step, (positions, examples) in enumerate(batches.take(3), 7):
        assert (positions == np.arange(100) + 100 * step).numpy().all()
        expected = read(tiny, 100, 100 * step)
        assert_equal({k: v.numpy() for k, v in examples.items()}, expected)


def test_a_prepared_folder_records_how_its_examples_are_made(tiny_data_dir):
    """Even if the config is only known from the folder."""
    builder = tfds.builder_from_directory(
        tiny_data_dir / "seqdigits" / "tiny" / "2.0.0"
    )
    config = restore_config(builder.info)
    metadata = dict(builder.info.metadata)
    assert len(metadata.pop("digest")) == 64
    assert metadata == config.settings
    assert (config.source, config.seed) == ("optdigits", DEFAULT_SEED)
    assert config.num_train == 480


@pytest.mark.parametrize("metadata", [{}, {"source": "optdigits", "seed": 101}])
def test_a_folder_of_an_earlier_version_is_refused(
    tiny_data_dir, tmp_path, metadata
):
    shutil.copytree(tiny_data_dir, tmp_path / "data")
    folder = tmp_path / "data" / "seqdigits" / "tiny" / "2.0.0"
    (folder / "metadata.json").write_text(json.dumps(metadata))
    builder = tfds.builder("seqdigits/tiny", data_dir=tmp_path / "data")
    with pytest.raises(InputError, match=r"2\.0\.0 on, .* prepare the dataset"):
        restore_config(builder.info)
    with pytest.raises(InputError, match=r"seqdigits/tiny/2\.0\.0 must be"):
        dataset.prepare_dataset(builder, None)
