"""The contestants of the benchmarks stream what they should."""

import functools
import importlib.util

import numpy as np
import pytest

from benchmarks import feed_data, feeds, measuring
from conftest import TINY, build_custom, run_python


@pytest.fixture(scope="module")
def data(tiny_data_dir, tmp_path_factory):
    return feed_data.Data(
        "seqdigits/tiny",
        str(tiny_data_dir),
        str(tmp_path_factory.mktemp("array_record")),
        tmp_path_factory.mktemp("data"),
    )


@pytest.fixture(scope="module")
def preparation(data):
    preparation = feed_data.Preparation(data)
    preparation.write_arrays()
    if importlib.util.find_spec("array_record"):
        build_custom(data.array_record_dir, file_format="array_record", **TINY)
    return preparation


def sort_examples(images, labels):
    return sorted(
        np.asarray(image, np.uint8).tobytes() + np.asarray(label).tobytes()
        for image, label in zip(images, labels, strict=True)
    )


@pytest.mark.parametrize(
    ("module", "make"),
    [
        ("numpy", feeds.NumPy),
        ("tensorflow", feeds.SeqDigits),
        ("tensorflow", feeds.SeqDigitsRecords),
        ("tensorflow", feeds.TfdsLoad),
        ("torch", functools.partial(feeds.Torch, num_workers=1)),
        ("torch", functools.partial(feeds.TorchInBulk, num_workers=0)),
        (
            "torch",
            functools.partial(feeds.TorchFromDisk, num_workers=0),
        ),
        ("datasets", functools.partial(feeds.HuggingFace, format_name="torch")),
        (
            "datasets",
            functools.partial(feeds.HuggingFaceFromDisk, format_name="numpy"),
        ),
        ("grain", functools.partial(feeds.Grain, num_workers=0)),
        ("grain", functools.partial(feeds.GrainFromDisk, num_workers=0)),
    ],
)
def test_an_epoch_has_each_example_once(data, preparation, module, make):
    pytest.importorskip(module)
    if module == "datasets":
        preparation.write_hugging_face()
    if module == "grain":
        preparation.write_array_record()
    feed = make(data)
    feed.open()
    epochs = []
    for _ in range(2):
        images, labels = [], []
        for image_batch, label_batch in feed.epoch(48):
            assert len(image_batch) == len(label_batch) == 48
            images.extend(image_batch)
            labels.extend(label_batch)
        assert sort_examples(images, labels) == sort_examples(
            *data.load_arrays()
        )
        epochs.append([np.asarray(label).tobytes() for label in labels])
    assert epochs[0] != epochs[1]


def test_contestants_are_measured(data, preparation):
    with measuring.Child(feeds.PngDecoding, data) as child:
        assert child.call("measure_cold", 48) > 0
        assert child.read_peak_memory() > 1 << 20
        with pytest.raises(AttributeError):
            child.call("measure_nothing")


def test_all_contestants_take_turns():
    turns = []

    def measure(name):
        turns.append(name)
        return float(len(turns))

    figures = measuring.measure_in_turn(
        {name: functools.partial(measure, name) for name in "abc"}, 2, "turns"
    )
    assert "".join(turns) == "abccba"
    assert figures == {"a": [1, 6], "b": [2, 5], "c": [3, 4]}
    comparison = measuring.Comparison("name", "Title", "s", figures, "b")
    assert comparison.ratio("a") == 1
    assert "| c | 3.5 | 3 to 4 | 1.00 |" in comparison.to_markdown()
    assert comparison.to_json()["medians"]["c"] == 3.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--manual_dir=/nowhere"], "where they are not"),
        (["--manual_dir=/nowhere", "fly"], "no benchmark 'fly'"),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    done = run_python("-m", "benchmarks", *arguments, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
