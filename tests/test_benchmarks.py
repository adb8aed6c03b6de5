"""The benchmarks' loaders read the right examples, and are measured fairly."""

import functools
import importlib.util
import json
import resource

import numpy as np
import pytest

from benchmarks import small_images, suite
from benchmarks.loaders.bare import BareNumPy, BarePngDecoding, InOrder
from benchmarks.loaders.grain_loaders import GrainDataSource, GrainPixels
from benchmarks.loaders.hugging_face import HuggingFaceDisk, HuggingFaceMemory
from benchmarks.loaders.split_files import SplitFiles, SplitWriter
from benchmarks.loaders.tf_data import (
    SeqDigitsDisk,
    SeqDigitsMemory,
    TfdsLoad,
)
from benchmarks.loaders.torch_loaders import (
    TorchBatchSampler,
    TorchDataSource,
    TorchTensors,
)
from benchmarks.measuring import Comparison, measure_in_turn
from benchmarks.remote import KIBIBYTE, RemoteObject
from benchmarks.small_images import SmallImagesWriter
from helpers import TINY, build_custom, run_python
from seqdigits_tfds import InputError


@pytest.fixture(scope="module")
def files(tiny_data_dir, tmp_path_factory):
    return SplitFiles(
        "seqdigits/tiny",
        str(tiny_data_dir),
        tmp_path_factory.mktemp("files"),
        array_record_dir=str(tmp_path_factory.mktemp("array_record")),
    )


@pytest.fixture(scope="module")
def writer(files):
    writer = SplitWriter(files)
    writer.write_arrays()
    if importlib.util.find_spec("array_record"):
        build_custom(files.array_record_dir, file_format="array_record", **TINY)
    return writer


def sort_examples(images, labels):
    return sorted(
        np.asarray(image, np.uint8).tobytes() + np.asarray(label).tobytes()
        for image, label in zip(images, labels, strict=True)
    )


@pytest.mark.parametrize(
    ("library", "make"),
    [
        ("numpy", BareNumPy),
        ("tensorflow", SeqDigitsMemory),
        ("tensorflow", SeqDigitsDisk),
        ("tensorflow", TfdsLoad),
        ("torch", functools.partial(TorchTensors, num_workers=1)),
        ("torch", functools.partial(TorchBatchSampler, num_workers=0)),
        ("torch", functools.partial(TorchDataSource, num_workers=0)),
        ("datasets", functools.partial(HuggingFaceMemory, format_name="numpy")),
        ("datasets", functools.partial(HuggingFaceDisk, format_name="numpy")),
        ("grain", functools.partial(GrainPixels, num_workers=0)),
        ("grain", functools.partial(GrainDataSource, num_workers=0)),
    ],
)
def test_an_epoch_has_each_example_once(files, writer, library, make):
    pytest.importorskip(library)
    if library == "datasets":
        writer.write_hugging_face()
    if library == "grain":
        writer.write_array_record()
    loader = make(files)
    loader.open()
    epochs = []
    for _ in range(2):
        images, labels = [], []
        for image_batch, label_batch in loader.epoch(48):
            assert len(image_batch) == len(label_batch) == 48
            images.extend(image_batch)
            labels.extend(label_batch)
        assert sort_examples(images, labels) == sort_examples(
            *files.load_arrays()
        )
        epochs.append([np.asarray(label).tobytes() for label in labels])
    assert epochs[0] != epochs[1]


def test_small_images_are_read_by_all_loaders(tmp_path):
    writer = SmallImagesWriter(tmp_path, num_examples=60)
    files = SplitFiles(small_images.NAME, writer.write("tfrecord"), tmp_path)
    SplitWriter(files).write_arrays()
    images, labels = files.load_arrays()
    assert images.shape == (60, 32, 32, 3)
    assert set(labels) <= set(range(10))
    for make in (SeqDigitsMemory, SeqDigitsDisk):
        loader = make(files)
        loader.open()
        found = [
            (image, label)
            for image_batch, label_batch in loader.epoch(12)
            for image, label in zip(image_batch, label_batch, strict=True)
        ]
        assert sort_examples(*zip(*found, strict=True)) == sort_examples(
            images, labels
        )


def test_bare_decoding_returns_all_images_in_order(files, writer):
    loader = BarePngDecoding(files)
    loader.open()
    images = np.concatenate([batch for batch, _ in loader.epoch(48)])
    np.testing.assert_array_equal(images, files.load_arrays()[0])
    assert loader.measure_cold(48) > 0


def test_records_are_read_in_order(files, writer):
    loader = InOrder(files)
    loader.open()
    images, labels = (
        np.concatenate(parts) for parts in zip(*loader.epoch(48), strict=True)
    )
    assert sort_examples(images, labels) == sort_examples(*files.load_arrays())


def test_prefetched_batches_are_not_counted(files, writer):
    class CountingLoader(SeqDigitsMemory):
        num_epochs = 0

        def epoch(self, batch_size):
            self.num_epochs += 1
            return super().epoch(batch_size)

    loader = CountingLoader(files)
    assert loader.measure_warm(48) > 0
    assert loader.num_epochs == 3  # The first, one to skip, the measured one.
    assert loader.measure_warm(48) > 0
    assert loader.num_epochs == 5


def test_a_remote_loader_has_its_own_memory(files, writer):
    with RemoteObject(BareNumPy, files) as loader:
        assert loader.call("measure_cold", 48) > 0
        assert loader.call("measure_warm", batch_size=48) > 0
        # This process has imported TensorFlow; the loader's process has not.
        usage = resource.getrusage(resource.RUSAGE_SELF)
        assert loader.peak_memory() > 1 << 20
        assert loader.peak_memory() < usage.ru_maxrss * KIBIBYTE / 2
        with pytest.raises(AttributeError, match="measure_nothing"):
            loader.call("measure_nothing")


def test_all_candidates_take_turns():
    turns = []

    def measure(name):
        turns.append(name)
        return float(len(turns))

    measurements = measure_in_turn(
        {name: functools.partial(measure, name) for name in "abc"}, 2, "turns"
    )
    assert "".join(turns) == "abccba"
    assert measurements == {"a": [1, 6], "b": [2, 5], "c": [3, 4]}
    comparison = Comparison("name", "Title", "s", measurements, "b")
    assert comparison.ratio("a") == 1
    assert "| c | 3.5 | 3 to 4 | 1.00 |" in comparison.to_markdown()
    assert comparison.to_json()["medians"]["c"] == 3.5


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["build"], "manual_dir must be .* '/nowhere'"),
        (["build", "fly"], "must be one of build, .* got 'fly'"),
    ],
)
def test_bad_input_is_found_before_the_first_benchmark(
    tmp_path, names, message
):
    with pytest.raises(InputError, match=message):
        suite.run(names, manual_dir="/nowhere", out=tmp_path / "out", rounds=1)
    assert not (tmp_path / "out").exists()


def test_bad_input_on_the_command_line_is_one_line():
    done = run_python(
        "-m", "benchmarks", "--manual_dir=/nowhere", "fly", check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("got 'fly'")
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_training_steps_are_compared(mnist_dir, tmp_path):
    done = run_python(
        *("-m", "benchmarks", "step", "--rounds=1"),
        *(f"--manual_dir={mnist_dir}", f"--out={tmp_path}"),
    )
    content = json.loads((tmp_path / "step.json").read_text())
    assert [len(values) for values in content["measurements"].values()] == [
        3,
        3,
    ]
    assert "| one repeated batch |" in done.stdout
    assert "| the pipeline |" in done.stdout
