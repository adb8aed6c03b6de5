"""`Sequences`: the dataset without files, in several frameworks."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_datasets as tfds

import seqdigits_tfds
from helpers import TINY, run_python
from seqdigits_tfds import InputError, SeqDigitsConfig, Sequences
from seqdigits_tfds.configs import CONFIGS

OOD = {
    "name": "ood",
    "source": "optdigits",
    "max_digits": 7,
    "max_train_digits": 4,
    "image_height": 28,
    "image_width": 98,
    "num_ood": 3_000,
}


@pytest.fixture(scope="module")
def tiny():
    return Sequences(SeqDigitsConfig(source="optdigits", **TINY), "train")


def test_examples_equal_the_files(prepared, request):
    name, data_dir = prepared
    mnist_dir = (
        str(request.getfixturevalue("mnist_dir")) if name == "mnist" else None
    )
    for split in ("train", "validation", "test"):
        sequences = Sequences(name, split, manual_dir=mnist_dir)
        stored = tfds.load(
            f"seqdigits/{name}",
            split=f"{split}[:1000]",
            data_dir=data_dir,
            # By default, TFDS takes examples from several files in turn.
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
        )
        made = sequences.make_examples(np.arange(1000))
        for index, example in enumerate(tfds.as_numpy(stored)):
            for feature, value in example.items():
                assert (value == made[feature][index]).all()
                assert value.dtype == made[feature].dtype


def test_the_first_hundred_are_examples_0_to_99(prepared, request):
    """Even through TFDS's default settings."""
    name, data_dir = prepared
    mnist_dir = (
        str(request.getfixturevalue("mnist_dir")) if name == "mnist" else None
    )
    stored = tfds.load(
        f"seqdigits/{name}",
        split="train[:100]",
        data_dir=data_dir,
        batch_size=-1,
    )
    made = Sequences(name, manual_dir=mnist_dir).make_examples(np.arange(100))
    assert (stored["glyph_id"].numpy() == made["glyph_id"]).all()


def test_items_are_examples(tiny):
    assert len(tiny) == 480
    examples = tiny.make_examples(np.arange(480))
    for index in (0, 7, 479):
        for name, value in tiny[index].items():
            assert (value == examples[name][index]).all()
    several = tiny.__getitems__([5, 3, 5])
    assert [example["length"] for example in several] == [
        examples["length"][index] for index in (5, 3, 5)
    ]
    assert len(list(tiny)) == 480


@pytest.mark.parametrize("index", [480, -1])
def test_items_end_with_the_split(tiny, index):
    with pytest.raises(IndexError, match="must be 0 to 479"):
        tiny[index]
    # Further examples exist.
    assert tiny.make_examples(np.array([480]))["image"].any()


@pytest.mark.parametrize("index", [-1, 0.5, "1"])
def test_other_indices_are_refused(tiny, index):
    with pytest.raises(IndexError, match="must be integers from 0 on"):
        tiny.make_examples([index])


def test_no_examples_have_the_shapes_of_examples(tiny):
    none = tiny.make_examples([])
    assert none["image"].shape == (0, 64, 64, 1)
    assert none["label"].shape == (0, 5)
    assert tiny.__getitems__([]) == []


def test_sequences_can_be_pickled(tiny):
    copy = pickle.loads(pickle.dumps(tiny))
    assert (copy[17]["image"] == tiny[17]["image"]).all()


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="config must be one of optdigits,"):
        Sequences("cifar")
    with pytest.raises(InputError, match="split of config optdigits must be"):
        Sequences("optdigits", "dev")


def test_tensorflow_is_not_imported(tmp_path):
    """Neither by the package, nor to make examples."""
    run_python(
        "-c",
        "import sys, seqdigits_tfds\n"
        "seqdigits_tfds.Sequences('optdigits_scattered')[3]\n"
        "assert 'tensorflow' not in sys.modules",
        cwd=tmp_path,
        PYTHONPATH=seqdigits_tfds.__path__[0] + "/..",
    )


def test_lengths_and_digits_are_uniform():
    sequences = Sequences(
        SeqDigitsConfig(
            name="some", source="optdigits", min_digits=2, image_width=8
        )
    )
    examples = sequences.make_examples(np.arange(20_000))
    lengths = np.bincount(examples["length"], minlength=6)
    assert not lengths[:2].any()
    assert scipy.stats.chisquare(lengths[2:]).pvalue > 1e-3
    ids = examples["glyph_id"]
    counts = np.bincount(ids[ids >= 0], minlength=1_797)
    pool = sequences.source.pools["train"]
    assert counts.sum() == counts[pool].sum()
    assert scipy.stats.chisquare(counts[pool]).pvalue > 1e-3


def make_ood(split, num_examples=3_000):
    return Sequences(SeqDigitsConfig(**OOD), split).make_examples(
        np.arange(num_examples)
    )


def find_numbers(examples):
    return [
        tuple(label[:length].tolist())
        for label, length in zip(
            examples["label"], examples["length"], strict=True
        )
    ]


def test_longer_sequences_are_not_in_train():
    assert make_ood("train")["length"].max() == 4
    lengths = np.bincount(make_ood("test_longer")["length"])
    assert not lengths[:5].any()
    assert scipy.stats.chisquare(lengths[5:]).pvalue > 1e-3


def test_unseen_numbers_are_in_no_other_split():
    unseen = make_ood("test_unseen")
    numbers = set(find_numbers(unseen))
    assert min(map(len, numbers)) == 2
    # All ten numbers of two digits whose sum is divisible by ten.
    assert len([n for n in numbers if len(n) == 2]) == 10
    for split in ("train", "validation", "test", "test_corrupted"):
        seen = make_ood(split, 20_000)
        assert not numbers & set(find_numbers(seen))
        # The last digit still has all classes equally often.
        last = seen["label"][np.arange(20_000), seen["length"] - 1]
        counts = np.bincount(last, minlength=10)
        source = Sequences(SeqDigitsConfig(**OOD), split).source
        pool = source.pools.get(split, source.pools["test"])
        shares = np.bincount(source.labels[pool], minlength=10)
        expected = shares / shares.sum() * counts.sum()
        assert abs(counts / expected - 1).max() < 0.12


def test_corrupted_images_have_clutter_and_noise():
    corrupted, clean = make_ood("test_corrupted"), make_ood("test")
    shares = [
        (examples["image"] == 0).mean() for examples in (corrupted, clean)
    ]
    assert shares[0] < 0.6 < 0.7 < shares[1]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_every_config_makes_examples(config, request):
    """Those of mnist_large begin like those of mnist."""
    folder = None
    if config.source == "mnist":
        folder = str(request.getfixturevalue("mnist_dir"))
    source = Sequences(config, manual_dir=folder).source
    for split in config.splits:
        examples = Sequences(config, split, source=source).make_examples(
            np.arange(20)
        )
        assert examples["image"].any(axis=(1, 2, 3)).all()
        if config.name == "mnist_large":
            mnist = Sequences("mnist", split, source=source)
            usual = mnist.make_examples(np.arange(20))
            assert (examples["image"] == usual["image"]).all()


def test_tensorflow_reads_sequences(tiny):
    def make(indices):
        examples = tiny.make_examples(indices)
        return examples["image"], examples["label"]

    dataset = (
        tf.data.Dataset.range(len(tiny))
        .batch(100)
        .map(
            lambda indices: tf.numpy_function(
                make, [indices], [tf.uint8, tf.int64]
            )
        )
    )
    expected = tiny.make_examples(np.arange(480))
    images = np.concatenate([image for image, _ in dataset])
    assert (images == expected["image"]).all()


@pytest.mark.long
def test_pytorch_reads_sequences(tiny):
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(
        tiny, batch_size=100, num_workers=2, multiprocessing_context="spawn"
    )
    expected = tiny.make_examples(np.arange(480))
    batches = list(loader)
    for name, values in expected.items():
        found = np.concatenate([batch[name].numpy() for batch in batches])
        assert (found == values).all()
    shuffled = torch.utils.data.DataLoader(
        tiny, batch_size=32, shuffle=True, generator=torch.Generator()
    )
    ids = np.concatenate([batch["glyph_id"] for batch in shuffled])
    assert sorted(map(tuple, ids)) == sorted(map(tuple, expected["glyph_id"]))


@pytest.mark.long
def test_pytorch_reads_an_endless_stream(tiny):
    torch = pytest.importorskip("torch")

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            for start in itertools.count(step=64):
                yield tiny.make_examples(np.arange(start, start + 64))

    loader = torch.utils.data.DataLoader(Stream(), batch_size=None)
    batches = list(itertools.islice(loader, 10))
    images = np.concatenate([batch["image"] for batch in batches])
    assert (images == tiny.make_examples(np.arange(640))["image"]).all()


@pytest.mark.long
def test_grain_and_jax_read_sequences(tiny):
    grain = pytest.importorskip("grain")
    dataset = grain.MapDataset.source(tiny).shuffle(seed=1).batch(60)
    batches = list(dataset.to_iter_dataset())
    expected = tiny.make_examples(np.arange(480))
    ids = np.concatenate([batch["glyph_id"] for batch in batches])
    assert sorted(map(tuple, ids)) == sorted(map(tuple, expected["glyph_id"]))
    import jax.numpy as jnp

    images = jnp.asarray(batches[0]["image"])
    assert images.shape == (60, 64, 64, 1)
