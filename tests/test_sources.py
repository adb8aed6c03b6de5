"""Glyphs from TFDS datasets that this project did not make."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw

import seqdigits_tfds
from helpers import run_python
from seqdigits_tfds import InputError, SeqDigitsConfig, Sequences
from seqdigits_tfds.verify import verify_dataset

LETTERS = "ABCDEFGHIJKLMN"
SIZES = {"train": 120, "test": 40}


def draw_letter(letter, number):
    """Draws a white letter on a background of one dark colour, RGB, 32x32."""
    image = Image.new("RGB", (32, 32), (0, 0, 0))
    ImageDraw.Draw(image).text(
        (8 + number % 5, 5 + number % 3),
        letter,
        fill=(255, 200 + number % 50, 255),
        font_size=20,
    )
    return np.asarray(image)


def make_letters():
    """Returns the images and labels of each split."""
    return {
        split: [
            (draw_letter(LETTERS[n * 5 % 14], n), n * 5 % 14)
            for n in range(size)
        ]
        for split, size in SIZES.items()
    }


def write_dataset(data_dir, names=tuple(LETTERS), splits=None, **settings):
    """Writes an image-classification dataset with TFDS's own tools."""
    splits = splits or make_letters()
    examples = {
        split: [
            (number, {"picture": image, "kind": label})
            for number, (image, label) in enumerate(examples)
        ]
        for split, examples in splits.items()
    }
    return tfds.dataset_builders.store_as_tfds_dataset(
        name="letters",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "picture": tfds.features.Image(shape=(None, None, 3)),
                "kind": tfds.features.ClassLabel(names=list(names)),
            }
        ),
        split_datasets=examples,
        data_dir=data_dir,
        disable_shuffling=True,
        **settings,
    )


@pytest.fixture(scope="session")
def letters_data_dir(share):
    return share("letters", write_dataset)


def make_config(**fields):
    return SeqDigitsConfig(
        **{
            "name": "letters",
            "source": "tfds:letters",
            "glyph_size": 32,
            "image_width": 80,
            "num_train": 100,
            "num_validation": 20,
            "num_test": 20,
            **fields,
        }
    )


def test_a_dataset_of_letters_is_used_by_name(letters_data_dir, tmp_path):
    """Built, loaded, verified, and trained on."""
    builder = seqdigits_tfds.Builder(
        config=make_config(layout="scattered"), data_dir=letters_data_dir
    )
    builder.download_and_prepare()
    loaded, info = tfds.load(
        "seqdigits/letters", data_dir=letters_data_dir, with_info=True
    )
    names = info.features["label"].feature.names
    assert names == [*LETTERS, "blank"]
    pictures = make_letters()
    rows = [*pictures["train"], *pictures["test"]]
    pools = {
        "train": range(110),
        "validation": range(110, 120),
        "test": range(120, 160),
    }
    for split, examples in loaded.items():
        for example in tfds.as_numpy(examples):
            ids = example["glyph_id"][: example["length"]]
            assert set(ids) <= set(pools[split])
            labels = [rows[i][1] for i in ids]
            assert example["label"].tolist() == labels + [14] * (5 - len(ids))
    assert verify_dataset(builder.data_path) == info.metadata["digest"]
    done = run_python(
        "-m",
        "trainer",
        "--dataset=seqdigits/letters",
        f"--data_dir={letters_data_dir}",
        f"--workdir={tmp_path}",
        "--max_steps=3",
        "--global_batch_size=20",
    )
    assert "sequence accuracy" in done.stdout


def test_colour_becomes_grey_and_keeps_its_size(letters_data_dir):
    sequences = Sequences(make_config(), data_dir=letters_data_dir)
    for row, (image, _) in enumerate(make_letters()["train"]):
        red, green, blue = np.moveaxis(image.astype(float), -1, 0)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        assert abs(sequences.source.images[row] - luma).max() <= 1


def test_glyphs_can_be_resized_and_inverted(letters_data_dir):
    small = Sequences(make_config(glyph_size=20), data_dir=letters_data_dir)
    dark = Sequences(
        make_config(glyph_size=20, invert=True), data_dir=letters_data_dir
    )
    assert small.source.images.shape == (161, 20, 20)
    sums = small.source.images[:-1].astype(int) + dark.source.images[:-1]
    assert (sums == 255).all()
    # The blank is background in both.
    assert not dark.source.images[-1].any()


def test_pools_can_be_chosen(letters_data_dir):
    chosen = {
        "train": "test[:50%]",
        "validation": "train",
        "test": "test[50%:]",
    }
    sequences = Sequences(
        make_config(source_splits=chosen), data_dir=letters_data_dir
    )
    pools = {k: v.tolist() for k, v in sequences.source.pools.items()}
    assert pools == {
        "train": [*range(120, 140)],
        "validation": [*range(120)],
        "test": [*range(140, 160)],
    }


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            {"train": "train", "validation": "train[:9]", "test": "test"},
            "must be disjoint",
        ),
        (
            {"train": "train", "validation": "test[:0]", "test": "test"},
            "not empty",
        ),
        (
            {"train": "training", "validation": "test", "test": "test"},
            r"has the splits .*'training' for the pool train can't be taken",
        ),
    ],
)
def test_wrong_pools_are_refused(letters_data_dir, chosen, message):
    with pytest.raises(InputError, match=message):
        Sequences(make_config(source_splits=chosen), data_dir=letters_data_dir)


def test_images_of_different_sizes_need_a_glyph_size(letters_data_dir):
    with pytest.raises(InputError, match="different sizes; set glyph_size"):
        Sequences(make_config(glyph_size=None), data_dir=letters_data_dir)


def test_a_single_split_is_divided_modulo_6(tmp_path):
    write_dataset(tmp_path, splits={"train": make_letters()["train"]})
    sequences = Sequences(make_config(), data_dir=tmp_path)
    assert sequences.source.pools["validation"].tolist() == [*range(4, 120, 6)]


def test_a_missing_dataset_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"source tfds:letters is not prepared in .*; run"
    ):
        seqdigits_tfds.Builder(config=make_config(), data_dir=tmp_path)


def test_a_class_named_blank_is_refused(tmp_path):
    write_dataset(tmp_path, names=["blank", *LETTERS[1:]])
    with pytest.raises(InputError, match="must not have a class named 'blank'"):
        seqdigits_tfds.Builder(config=make_config(), data_dir=tmp_path)


def test_classes_without_glyphs_cannot_be_withheld(tmp_path):
    pictures = make_letters()
    pictures["test"] = [p for p in pictures["test"] if p[1] != 3]
    write_dataset(tmp_path, splits=pictures)
    config = make_config(num_ood=10)
    Sequences(config, "train", data_dir=tmp_path)
    with pytest.raises(
        InputError, match=r"pool test, but it has none of \[3\]"
    ):
        Sequences(config, "test_unseen", data_dir=tmp_path)


@pytest.fixture
def folder(tmp_path):
    """The letters as pictures in folders."""
    for split, examples in make_letters().items():
        for number, (image, label) in enumerate(examples):
            path = tmp_path / "pictures" / split / LETTERS[label]
            path.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path / f"{number:03}.png")
    return tmp_path / "pictures"


def test_a_folder_of_images_is_a_source(folder):
    (folder / "unused" / "A").mkdir(parents=True)
    sequences = Sequences(make_config(source=f"folder:{folder}"))
    assert len(sequences.source.images) == 161
    assert len(sequences.class_names) == 15
    examples = sequences.make_examples(np.arange(10))
    assert set(examples["label"].ravel()) <= set(range(15))


@pytest.mark.parametrize("path", ["", "missing"])
def test_a_folder_without_images_is_named(tmp_path, path):
    config = make_config(source=f"folder:{tmp_path / path}")
    with pytest.raises(InputError, match="no image was found"):
        Sequences(config)


def test_an_unreadable_picture_is_named(folder, tmp_path):
    *_, path = sorted(folder.glob("train/C/*"))
    path.write_bytes(b"text")
    config = make_config(source=f"folder:{folder}")
    builder = seqdigits_tfds.Builder(config=config, data_dir=tmp_path)
    with pytest.raises(InputError, match=rf"^{path} must be an image that"):
        builder.download_and_prepare()


def test_a_damaged_dataset_is_named(tmp_path):
    builder = write_dataset(tmp_path)
    (path,) = builder.data_path.glob("*test*")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"^image 39 of test in letters/1.0.0"):
        Sequences(make_config(), data_dir=tmp_path)


def test_array_records_are_a_source(letters_data_dir, tmp_path):
    write_dataset(tmp_path, file_format="array_record")
    ours, theirs = (
        Sequences(make_config(), data_dir=data_dir).source
        for data_dir in (tmp_path, letters_data_dir)
    )
    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_array_equal(ours.labels, theirs.labels)


def test_every_glyph_has_a_label(tmp_path):
    pictures = make_letters()
    pictures["test"][3] = (pictures["test"][3][0], -1)
    write_dataset(tmp_path, splits=pictures)
    with pytest.raises(InputError, match="but 1 of 40 in the pool test"):
        Sequences(make_config(), data_dir=tmp_path)


def test_few_glyphs_are_refused(tmp_path):
    write_dataset(tmp_path, splits={"train": make_letters()["train"][:5]})
    with pytest.raises(InputError, match=r"has the splits {'train': 5}"):
        Sequences(make_config(), data_dir=tmp_path)
