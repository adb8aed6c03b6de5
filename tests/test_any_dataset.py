"""Datasets that this project did not make, written with TFDS's own writers."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from seqdigits_tfds import InputError
from trainer.data import (
    PADDING,
    make_eval_dataset,
    make_train_dataset,
    open_split,
)

features = tfds.features
NUM_EXAMPLES = 103


def write(folder, features, make_example, file_format="tfrecord"):
    """Writes a dataset with 103 examples in 4 shards, and opens it."""
    info = tfds.core.DatasetInfo(
        builder=tfds.core.DatasetIdentity(
            name="stranger",
            version=tfds.core.Version("1.0.0"),
            data_dir=str(folder),
            module_name="",
        ),
        features=features,
    )
    writer = tfds.core.SequentialWriter(
        info, max_examples_per_shard=30, file_format=file_format
    )
    writer.initialize_splits(["train"])
    rng = np.random.default_rng(0)
    writer.add_examples(
        {"train": [make_example(rng, row) for row in range(NUM_EXAMPLES)]}
    )
    writer.close_all()
    return tfds.builder_from_directory(folder)


def draw_image(rng, *shape, dtype=np.uint8):
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


STRANGERS = {
    "RGB JPEGs and scalar labels": (
        {
            "image": features.Image(shape=(20, 30, 3), encoding_format="jpeg"),
            "label": features.ClassLabel(num_classes=1000),
        },
        lambda rng, row: {"image": draw_image(rng, 20, 30, 3), "label": row},
        "tfrecord",
    ),
    "16-bit PNGs": (
        {
            "image": features.Image(
                shape=(8, 9, 1), dtype=np.uint16, encoding_format="png"
            ),
            "row": np.int32,
        },
        lambda rng, row: {
            "image": draw_image(rng, 8, 9, 1, dtype=np.uint16),
            "row": row,
        },
        "tfrecord",
    ),
    "RGBA and grey PNGs": (
        {
            "image": features.Image(shape=(7, 7, 4), encoding_format="png"),
            "mask": features.Image(shape=(7, 7, 1), encoding_format="png"),
        },
        lambda rng, row: {
            "image": draw_image(rng, 7, 7, 4),
            "mask": draw_image(rng, 7, 7, 1),
        },
        "tfrecord",
    ),
    "float tensors": (
        {
            "plain": features.Tensor(shape=(3, 2), dtype=np.float32),
            "packed": features.Tensor(
                shape=(4,), dtype=np.float64, encoding="zlib"
            ),
            "box": features.BBoxFeature(),
            "flag": np.bool_,
            "sequence": features.Sequence(np.int64, length=5),
        },
        lambda rng, row: {
            "plain": rng.random((3, 2), np.float32),
            "packed": rng.random(4),
            "box": features.BBox(0.1, 0.2, 0.3, 0.4),
            "flag": row % 2 == 0,
            "sequence": rng.integers(0, 9, 5),
        },
        "tfrecord",
    ),
    "ArrayRecords": (
        {
            "image": features.Image(shape=(6, 6, 3), encoding_format="png"),
            "label": features.ClassLabel(names=["no", "yes"]),
        },
        lambda rng, row: {"image": draw_image(rng, 6, 6, 3), "label": row % 2},
        "array_record",
    ),
}


def read_with_tfds(builder):
    """Returns all examples, in the order on disk."""
    if builder.info.file_format.value == "array_record":
        examples = list(builder.as_data_source(split="train"))
        return {
            name: np.stack([example[name] for example in examples])
            for name in builder.info.features
        }
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    return tfds.as_numpy(
        builder.as_dataset(split="train", read_config=in_order, batch_size=-1)
    )


@pytest.fixture(params=STRANGERS)
def stranger(request, tmp_path):
    spec, make_example, file_format = STRANGERS[request.param]
    return write(
        tmp_path, features.FeaturesDict(spec), make_example, file_format
    )


@pytest.mark.parametrize("from_disk", [True, False])
def test_each_example_is_read_exactly_once(stranger, from_disk):
    expected = read_with_tfds(stranger)
    split = open_split(stranger, "train", from_disk=from_disk)
    assert len(split) == NUM_EXAMPLES

    def assert_equal(examples, rows):
        assert examples.keys() == expected.keys()
        for name, values in examples.items():
            assert values.dtype == expected[name].dtype
            assert values.shape[1:] == expected[name].shape[1:]
            rows = np.asarray(rows, np.int64)
            assert (values == expected[name][rows]).all()

    assert_equal(tfds.as_numpy(split.read(np.zeros(0, np.int64))), [])
    for epoch in range(2):
        rows = []
        batches = make_train_dataset(split, 1, 5, epoch * NUM_EXAMPLES)
        for positions, examples in tfds.as_numpy(batches.take(NUM_EXAMPLES)):
            rows.append(split.order(5, tf.constant(positions)).numpy()[0])
            assert_equal(examples, rows[-1:])
        assert sorted(rows) == list(range(NUM_EXAMPLES))
    seen = []
    for rows, examples in tfds.as_numpy(make_eval_dataset(split, 10)):
        real = rows != PADDING
        assert_equal(
            {name: values[real] for name, values in examples.items()},
            rows[real],
        )
        seen += rows[real].tolist()
    assert seen == list(range(NUM_EXAMPLES))


@pytest.fixture
def captioned(tmp_path):
    return write(
        tmp_path,
        features.FeaturesDict(
            {
                "image": features.Image(shape=(5, 5, 3), encoding_format="png"),
                "photo": features.Image(encoding_format="png"),
                "caption": features.Text(),
                "words": features.Sequence(np.int64),
                "object": {"box": features.BBoxFeature()},
                "row": np.int64,
            }
        ),
        lambda rng, row: {
            "image": draw_image(rng, 5, 5, 3),
            "photo": draw_image(rng, 2 + row % 3, 4, 3),
            "caption": "a caption",
            "words": [1] * (row % 4),
            "object": {"box": features.BBox(0.0, 0.0, 1.0, 1.0)},
            "row": row,
        },
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            None,
            r"'caption' is text, 'object' consists of several features,"
            r" 'photo' has a varying shape, \(None, None, 3\), 'words' has",
        ),
        (["row", "words"], r"but 'words' has a varying shape, \(None,\)"),
        (["picture"], "but 'picture' does not exist"),
    ],
)
def test_what_cannot_be_batched_is_named(captioned, names, message):
    with pytest.raises(InputError, match=message) as error:
        open_split(captioned, "train", names)
    assert str(error.value).endswith(
        "; choose features=['image', 'row'] or some of these"
    )


def test_other_features_can_be_read(captioned):
    split = open_split(captioned, "train", ["row", "image"], from_disk=True)
    examples = split.read(np.array([100, 3]))
    assert examples["row"].numpy().tolist() == [100, 3]
    assert examples["image"].shape == (2, 5, 5, 3)
