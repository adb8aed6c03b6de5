import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from trainer.data import loading, pipeline, splits

NUM_EXAMPLES = 103


@pytest.fixture(scope="module")
def examples():
    """Examples whose image and label contain their row."""
    rows = np.arange(NUM_EXAMPLES)
    images = np.broadcast_to(rows[:, None, None, None], (NUM_EXAMPLES, 4, 4, 1))
    labels = np.broadcast_to(rows[:, None], (NUM_EXAMPLES, 5))
    return splits.MemorySplit(
        tf.constant(images, tf.uint8), tf.constant(labels, tf.int64)
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
        for image_batch, label_batch in dataset.take(num_steps * per_worker):
            assert image_batch.dtype == tf.uint8
            assert len(label_batch) == batch // (num_workers * per_worker)
            rows = label_batch[:, 0].numpy()
            assert (image_batch[:, 0, 0, 0].numpy() == rows).all()
            labels.append(rows)
        parts.append(np.reshape(labels, (num_steps, -1)))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("batch", [1, 12, NUM_EXAMPLES, 240])
def test_each_epoch_is_a_permutation(examples, batch):
    num_steps = -(-3 * NUM_EXAMPLES // batch)
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
        for rows, images, labels in elements:
            assert images.dtype == tf.uint8
            assert (labels[:, 0] == images[:, 0, 0, 0].numpy()).numpy().all()
            real = rows.numpy() != pipeline.PADDING
            assert (images.numpy()[real, 0, 0, 0] == rows.numpy()[real]).all()
            counts.update(rows.numpy()[real].tolist())
    assert counts == dict.fromkeys(range(NUM_EXAMPLES), 1)
    # All replicas take the same number of steps.
    assert len(num_elements) == 1
    assert num_elements.pop() % per_worker == 0


def test_loading_returns_the_examples_of_tfds(optdigits_data_dir):
    builder = tfds.builder("seqdigits/optdigits", data_dir=optdigits_data_dir)
    examples = loading.load_split(builder, "test")
    whole = tfds.as_numpy(builder.as_dataset(split="test", batch_size=-1))
    assert len(examples) == 4_000
    assert examples.images.dtype == tf.uint8
    order = np.lexsort(examples.images.numpy().reshape(4_000, -1).T)
    expected = np.lexsort(whole["image"].reshape(4_000, -1).T)
    assert (examples.images.numpy()[order] == whole["image"][expected]).all()
    assert (examples.labels.numpy()[order] == whole["label"][expected]).all()


@pytest.fixture(scope="module")
def records(tiny_data_dir):
    """The 480 training records of `seqdigits/tiny`, in small windows."""
    builder = tfds.builder("seqdigits/tiny", data_dir=tiny_data_dir)
    return splits.DiskSplit(builder, "train", window=70)


def read_record_steps(records, num_steps, num_workers=1, per_worker=1, start=0):
    """Returns images [step, element, pixel] of global batches of 48."""
    parts = []
    for context in make_contexts(num_workers, per_worker):
        dataset = pipeline.make_train_dataset(records, 48, 0, start, context)
        images = [
            image_batch.numpy()
            for image_batch, _ in dataset.take(num_steps * per_worker)
        ]
        parts.append(np.reshape(images, (num_steps, -1, 64 * 64)))
    return np.concatenate(parts, axis=1)


def test_records_are_read_once_per_epoch(records):
    images = read_record_steps(records, 30)
    assert images.shape == (30, 48, 64 * 64)
    epochs = images.reshape(3, 480, -1)
    everything = loading.load_split(records.builder, "train").images.numpy()
    expected = sorted(image.tobytes() for image in everything)
    for epoch in epochs:
        assert sorted(image.tobytes() for image in epoch) == expected
    same = (epochs[0] == epochs[1]).all(axis=-1).mean()
    assert same < 0.05


@pytest.mark.parametrize("start", [1, 9, 10, 17])
def test_records_can_be_read_from_any_step(records, start):
    whole = read_record_steps(records, 20)
    alone = read_record_steps(records, 3, start=start)
    assert (alone == whole[start:][:3]).all()
    shared = read_record_steps(records, 3, 2, 2, start=start)
    assert (shared == whole[start:][:3]).all()


def test_records_are_evaluated_like_a_split_in_memory(records):
    in_memory = loading.load_split(records.builder, "train")
    for context in make_contexts(2, 2):
        elements = zip(
            *(
                pipeline.make_eval_dataset(split, 100, context)
                for split in (records, in_memory)
            ),
            strict=True,
        )
        for found, expected in elements:
            for a, b in zip(found, expected, strict=True):
                real = expected[0] != pipeline.PADDING
                assert (a.numpy()[real] == b.numpy()[real]).all()


def test_images_are_read_by_row(records, examples):
    rows = np.array([0, 5, 102])
    images = loading.read_images(examples, rows)
    assert (images[:, 0, 0, 0] == rows).all()
    in_memory = loading.load_split(records.builder, "train")
    expected = in_memory.images.numpy()[rows]
    assert (loading.read_images(records, rows) == expected).all()
    assert len(loading.read_images(records, rows[:0])) == 0
