import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from seqdigits_tfds import InputError
from trainer.data import open_split, pipeline
from trainer.data.splits import MemorySplit

NUM_EXAMPLES = 103


@pytest.fixture(scope="module")
def examples():
    """Examples whose image and label contain their row."""
    rows = np.arange(NUM_EXAMPLES)
    images = np.broadcast_to(rows[:, None, None, None], (NUM_EXAMPLES, 4, 4, 1))
    labels = np.broadcast_to(rows[:, None], (NUM_EXAMPLES, 5))
    return MemorySplit(
        {
            "image": tf.constant(images, tf.uint8),
            "label": tf.constant(labels, tf.int64),
        }
    )


def make_contexts(num_workers, replicas_per_worker):
    return [
        tf.distribute.InputContext(
            num_input_pipelines=num_workers,
            input_pipeline_id=worker,
            num_replicas_in_sync=num_workers * replicas_per_worker,
        )
        for worker in range(num_workers)
    ]


def read_train_steps(
    examples, batch, num_steps, num_workers=1, per_worker=1, seed=0, start=0
):
    """Returns the rows of each global batch, joined from all replicas."""
    parts = []
    for context in make_contexts(num_workers, per_worker):
        dataset = pipeline.make_train_dataset(
            examples, batch, seed, start, context
        )
        labels = []
        for _, batch_examples in dataset.take(num_steps * per_worker):
            image_batch = batch_examples["image"]
            label_batch = batch_examples["label"]
            assert image_batch.dtype == tf.uint8
            assert len(label_batch) == batch // (num_workers * per_worker)
            rows = label_batch[:, 0].numpy()
            assert (image_batch[:, 0, 0, 0].numpy() == rows).all()
            labels.append(rows)
        parts.append(np.reshape(labels, (num_steps, -1)))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("batch", [1, 12, NUM_EXAMPLES, 240, 10_000])
def test_each_epoch_is_a_permutation(examples, batch):
    num_steps = max(1, -(-3 * NUM_EXAMPLES // batch))
    rows = read_train_steps(examples, batch, num_steps).ravel()
    epochs = rows[: 3 * NUM_EXAMPLES].reshape(3, NUM_EXAMPLES)
    assert (np.sort(epochs) == np.arange(NUM_EXAMPLES)).all()
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert (epochs[a] != epochs[b]).sum() > NUM_EXAMPLES * 0.9


@pytest.mark.parametrize(
    ("num_workers", "per_worker"), [(1, 2), (1, 3), (2, 1), (3, 1), (2, 3)]
)
def test_replicas_and_workers_share_the_same_batches(
    examples, num_workers, per_worker
):
    alone = read_train_steps(examples, 12, 20)
    shared = read_train_steps(examples, 12, 20, num_workers, per_worker)
    assert (alone == shared).all()


def test_the_seed_determines_the_order(examples):
    first = read_train_steps(examples, 10, 5, seed=1)
    assert (first == read_train_steps(examples, 10, 5, seed=1)).all()
    assert (first != read_train_steps(examples, 10, 5, seed=2)).any()


@pytest.mark.parametrize("start", [1, 7, 8, 9, 25, 26, 60])
def test_reading_can_start_at_any_step(examples, start):
    whole = read_train_steps(examples, 12, 62)
    assert (
        read_train_steps(examples, 12, 2, start=start) == whole[start:][:2]
    ).all()
    shared = read_train_steps(examples, 12, 2, 3, 2, start=start)
    assert (shared == whole[start:][:2]).all()


def test_shuffling_covers_the_whole_split(examples):
    rows = read_train_steps(examples, NUM_EXAMPLES, 1)[0].astype(float)
    assert abs(np.corrcoef(rows, np.arange(NUM_EXAMPLES))[0, 1]) < 0.3


@pytest.mark.parametrize("batch", [1, 7, 128])
@pytest.mark.parametrize(
    ("num_workers", "per_worker"), [(1, 1), (1, 2), (1, 3), (2, 2), (3, 1)]
)
def test_evaluation_has_each_example_once(
    examples, batch, num_workers, per_worker
):
    counts = collections.Counter()
    num_elements = set()
    for context in make_contexts(num_workers, per_worker):
        elements = list(pipeline.make_eval_dataset(examples, batch, context))
        num_elements.add(len(elements))
        for rows, batch_examples in elements:
            images = batch_examples["image"]
            labels = batch_examples["label"]
            assert images.dtype == tf.uint8
            assert (labels[:, 0] == images[:, 0, 0, 0].numpy()).numpy().all()
            real = rows.numpy() != pipeline.PADDING
            assert (images.numpy()[real, 0, 0, 0] == rows.numpy()[real]).all()
            counts.update(rows.numpy()[real].tolist())
    assert counts == dict.fromkeys(range(NUM_EXAMPLES), 1)
    # All replicas take the same number of steps.
    assert len(num_elements) == 1
    assert num_elements.pop() % per_worker == 0


@pytest.fixture(scope="module")
def tiny(tiny_data_dir):
    return tfds.builder("seqdigits/tiny", data_dir=tiny_data_dir)


@pytest.fixture(scope="module")
def on_disk(tiny):
    return open_split(tiny, "train", ["image", "label"], from_disk=True)


@pytest.fixture(scope="module")
def in_memory(tiny):
    return open_split(tiny, "train", ["image", "label"])


def test_rows_are_examples_in_the_order_on_disk(tiny, on_disk, in_memory):
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    expected = tfds.as_numpy(
        tiny.as_dataset(split="train", read_config=in_order, batch_size=-1)
    )
    rows = np.random.default_rng(0).permutation(480)
    for split in (on_disk, in_memory):
        assert len(split) == 480
        found = split.read(rows)
        assert found.keys() == {"image", "label"}
        for name, values in found.items():
            assert values.dtype == expected[name].dtype
            assert (values.numpy() == expected[name][rows]).all()


def test_no_rows_are_read(on_disk, in_memory):
    for split in (on_disk, in_memory):
        examples = split.read(np.zeros(0, np.int64))
        assert examples["image"].shape == (0, 64, 64, 1)
        assert examples["label"].shape == (0, 5)


@pytest.mark.parametrize("start", [0, 1, 9, 10, 17, 10**9])
def test_batches_from_memory_and_disk_are_equal(on_disk, in_memory, start):
    for context in make_contexts(2, 2):
        datasets = (
            pipeline.make_train_dataset(split, 48, 3, start, context).take(6)
            for split in (on_disk, in_memory)
        )
        for found, expected in zip(*datasets, strict=True):
            tf.nest.map_structure(assert_equal, found, expected)


def test_evaluation_from_memory_and_disk_is_equal(on_disk, in_memory):
    for context in make_contexts(2, 2):
        datasets = (
            pipeline.make_eval_dataset(split, 100, context)
            for split in (on_disk, in_memory)
        )
        for found, expected in zip(*datasets, strict=True):
            tf.nest.map_structure(assert_equal, found, expected)


def assert_equal(found, expected):
    assert (found.numpy() == expected.numpy()).all()


def test_a_part_of_a_split_can_be_read(tiny, in_memory):
    for part, rows in (
        ("train[:80%]", range(384)),
        ("train[100:103]", range(100, 103)),
        ("train[50:55]+train[470:]", [*range(50, 55), *range(470, 480)]),
    ):
        for from_disk in (True, False):
            split = open_split(tiny, part, ["label"], from_disk=from_disk)
            found = split.read(np.arange(len(split)))["label"]
            expected = in_memory.read(np.array(rows))["label"]
            assert (found == expected).numpy().all()
    with pytest.raises(InputError, match=r"but 'train\[:0\]' of .* has none"):
        open_split(tiny, "train[:0]", ["label"])


def test_positions_are_consecutive(examples):
    contexts = make_contexts(2, 3)
    for worker, context in enumerate(contexts):
        dataset = pipeline.make_train_dataset(examples, 12, 0, 5, context)
        positions = [p.numpy().tolist() for p, _ in dataset.take(6)]
        first = [12 * step + 6 * worker for step in (5, 6)]
        assert positions == [
            [start + 2 * replica, start + 2 * replica + 1]
            for start in first
            for replica in range(3)
        ]
