"""The program `seqdigits_tfds.publish`."""

import datetime
import hashlib
import json
import shutil

import mlcroissant as mlc
import numpy as np
import pytest
import tensorflow_datasets as tfds
import yaml

from helpers import run_python
from seqdigits_tfds import InputError, publish
from seqdigits_tfds.verify import verify_dataset


@pytest.fixture(scope="module")
def original(tiny_data_dir):
    return tfds.builder("seqdigits/tiny", data_dir=tiny_data_dir)


@pytest.fixture
def folder(original, tmp_path):
    """A copy of `seqdigits/tiny`."""
    copy = tmp_path / "copy"
    shutil.copytree(original.data_dir, copy)
    return copy


def read(builder):
    return {
        split: tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
        for split in builder.info.splits
    }


def read_tables(card):
    """Returns the rows of each table of a card, with their cells as text."""
    tables = [[]]
    for line in card.splitlines():
        if line.startswith("| "):
            tables[-1].append(line.strip("| ").split(" | "))
        elif tables[-1] and not line.startswith("|"):
            tables.append([])
    return [{row[0].strip("`"): row[1:] for row in t} for t in tables]


def test_the_card_agrees_with_the_records(folder, original):
    done = run_python("-m", "seqdigits_tfds.publish", folder)
    assert done.stdout == f"{folder}: wrote README.md and croissant.json\n"
    card = (folder / "README.md").read_text()
    _, front_matter, text = card.split("---\n", 2)
    assert yaml.safe_load(front_matter) == {
        "pretty_name": "seqdigits/tiny",
        "license": "cc-by-4.0",
        "task_categories": ["image-to-text", "image-classification"],
        "size_categories": ["n<1K"],
        "tags": ["image", "ocr", "sequence-recognition", "synthetic", "tfds"],
        "viewer": False,
    }
    info = original.info
    features, splits, lengths, classes, *_ = read_tables(text)
    del features["feature"], splits["split"]
    assert features.keys() == info.features.keys()
    assert features["label"][:2] == ["int64", "[5]"]
    assert features["image"][:2] == ["uint8", "[64, 64, 1]"]
    assert all(row[2] for row in features.values())
    assert {name: row[:3] for name, row in splits.items()} == {
        name: [f"{split.num_examples:,}", f"{split.num_bytes:,}", "8"]
        for name, split in info.splits.items()
    }
    for column, (split, examples) in enumerate(read(original).items()):
        for table, values in (
            (lengths, examples["length"]),
            (classes, examples["label"][examples["label"] < 10]),
        ):
            names, *rows = table.items()
            assert names[1][column] == f"`{split}`"
            for name, row in rows:
                share = 100 * np.mean(values == int(name))
                assert float(row[column]) == pytest.approx(share, abs=0.0051)
    assert len(lengths) == 1 + 5
    assert len(classes) == 1 + 10
    for part in (info.metadata["digest"], "CC BY 4.0", "@misc{alpaydin1998"):
        assert part in text


def test_croissant_describes_all_files_and_features(folder, original):
    publish.write_card(
        folder, url="https://example.org", date_published="2026-12-31"
    )
    dataset = mlc.Dataset(jsonld=folder / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    metadata = dataset.metadata
    assert metadata.name == "seqdigits/tiny"
    assert metadata.version == str(original.version)
    assert metadata.url == "https://example.org"
    assert metadata.date_published == datetime.datetime(2026, 12, 31)
    assert {
        file.content_url: file.sha256 for file in metadata.file_objects
    } == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name not in ("README.md", "croissant.json")
    }
    (records,) = metadata.file_sets
    assert {path.name for path in folder.glob(records.includes[0])} == {
        path.name
        for split in original.info.splits.values()
        for path in split.filepaths
    }
    splits, examples = metadata.record_sets
    assert [row["splits/num_examples"] for row in splits.data] == [480, 40, 80]
    shapes = {field.name: field.array_shape for field in examples.fields}
    assert shapes == {
        "split": None,
        "glyph_id": "5",
        "image": None,
        "label": "5",
        "length": None,
    }


def test_a_published_dataset_is_the_same_elsewhere(folder, original, tmp_path):
    publish.write_card(folder)
    files = [folder / name for name in publish.OUTPUTS]
    written = [path.read_bytes() for path in files]
    publish.write_card(folder)
    assert [path.read_bytes() for path in files] == written
    assert "datePublished" not in json.loads(written[1])
    assert verify_dataset(folder) == original.info.metadata["digest"]

    elsewhere = folder.rename(tmp_path / "elsewhere")
    copy = read(tfds.builder_from_directory(elsewhere))
    for split, examples in read(original).items():
        for name, values in examples.items():
            np.testing.assert_array_equal(copy[split][name], values)


def test_names_of_classes_are_no_markup(folder):
    path = folder / "label.labels.txt"
    path.write_text(path.read_text().replace("0\n", "a|b <i>\n", 1))
    publish.write_card(folder)
    card = (folder / "README.md").read_text()
    assert "0 = a&#124;b &lt;i&gt;, 1 = 1" in card
    assert "\n| a&#124;b &lt;i&gt; | " in card


def test_what_cannot_be_published_is_refused(folder, tmp_path):
    with pytest.raises(
        InputError, match=r"folder of a prepared dataset .* got"
    ):
        publish.write_card(tmp_path)
    with pytest.raises(InputError, match="date_published must be a date"):
        publish.write_card(folder, date_published="tomorrow")
    shard = folder / "seqdigits-test.tfrecord-00003-of-00008"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"{shard.name} can't be read"):
        publish.write_card(folder)
    shard.unlink()
    with pytest.raises(InputError, match=rf"{shard.name} is missing"):
        publish.write_card(folder)
    assert not (folder / "README.md").exists()


def test_a_folder_that_cannot_be_written_is_refused(folder):
    (folder / "README.md").mkdir()
    with pytest.raises(InputError, match=r"README.md .* can't be written"):
        publish.write_card(folder)


@pytest.mark.parametrize(
    ("num_examples", "category"),
    [
        (1, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (75_000, "10K<n<100K"),
        (10_015_000, "10M<n<100M"),
    ],
)
def test_size_categories(num_examples, category):
    assert publish._find_size(num_examples) == category
