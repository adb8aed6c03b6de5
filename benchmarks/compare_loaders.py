"""Compares ways to load shuffled batches of the training split."""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

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
from benchmarks.measuring import MEBIBYTE, Comparison, measure_in_turn
from benchmarks.remote import RemoteObject
from benchmarks.small_images import NAME as SMALL_IMAGES
from benchmarks.small_images import SmallImagesWriter
from benchmarks.tfds_build import MNIST, prepare_mnist

LIBRARIES = ("array_record", "datasets", "grain", "torch")
"""Modules that the candidates need, besides those of seqdigits."""

_OURS = "seqdigits"
_OURS_DISK = "seqdigits, --input=disk"
_Candidates = Mapping[str, tuple[Callable[..., Any], *tuple[Any, ...]]]
_BARE_NUMPY = "bare NumPy indexing"
_BARE_PNG = "bare PNG decoding"
_IN_ORDER = "reading and decoding in order"

_WARM: _Candidates = {
    _BARE_NUMPY: (BareNumPy,),
    _OURS: (SeqDigitsMemory,),
    "tfds.load": (TfdsLoad,),
    "DataLoader, 0 workers": (TorchTensors, 0),
    "DataLoader, 1 worker": (TorchTensors, 1),
    "DataLoader, 2 workers": (TorchTensors, 2),
    "DataLoader, BatchSampler": (TorchBatchSampler, 0),
    "Hugging Face, numpy": (HuggingFaceMemory, "numpy"),
    "Hugging Face, torch": (HuggingFaceMemory, "torch"),
    "Grain, threads": (GrainPixels, 0),
    "Grain, 2 processes": (GrainPixels, 2),
}
"""Class of each loader, and its arguments after the files."""

_COLD: _Candidates = {
    _BARE_PNG: (BarePngDecoding,),
    _IN_ORDER: (InOrder,),
    _OURS: (SeqDigitsMemory,),
    _OURS_DISK: (SeqDigitsDisk,),
    "tfds.load": (TfdsLoad,),
    "DataLoader, 2 workers": (TorchDataSource, 2),
    "Hugging Face, numpy": (HuggingFaceDisk, "numpy"),
    "Grain, 2 processes": (GrainDataSource, 2),
}


_SMALL_WARM: _Candidates = {
    name: _WARM[name]
    for name in (
        _OURS,
        "tfds.load",
        "DataLoader, 0 workers",
        "DataLoader, 2 workers",
        "DataLoader, BatchSampler",
        "Grain, threads",
    )
}
_SMALL_COLD: _Candidates = {
    name: _COLD[name]
    for name in (
        _OURS,
        _OURS_DISK,
        "tfds.load",
        "DataLoader, 2 workers",
        "Grain, 2 processes",
    )
}
"""The candidates for images like CIFAR-10's."""


def compare_loaders(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares loaders on `seqdigits/mnist`.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Directory for temporary data.
      rounds: Number of measurements of each candidate.

    Yields:
      Each comparison, as soon as it is complete.
    """
    files = SplitFiles(
        MNIST,
        prepare_mnist(manual_dir, folder, "tfrecord"),
        _make_folder(folder / "mnist"),
        array_record_dir=prepare_mnist(manual_dir, folder, "array_record"),
    )
    with RemoteObject(SplitWriter, files) as writer:
        writer.call("write_arrays")
        writer.call("write_array_record")
        writer.call("write_hugging_face")
    yield from _compare_training_input(files, rounds)
    with _start_loaders(_WARM, files) as loaders:
        for batch_size in (256, 1024):
            yield Comparison(
                f"loaders_warm_{batch_size}",
                f"Loading from the second epoch on, batch {batch_size}",
                "images/s",
                _measure(loaders, "measure_warm", batch_size, rounds),
                _BARE_NUMPY,
            )
        memory = {
            name: [loader.peak_memory() / MEBIBYTE]
            for name, loader in loaders.items()
        }
    yield Comparison(
        "loaders_memory",
        "Loading: peak resident memory, without worker processes",
        "MiB",
        memory,
        _BARE_NUMPY,
    )
    with _start_loaders(_COLD, files) as loaders:
        # A warm-up, which imports the libraries.
        _measure(loaders, "measure_cold", 256, rounds=1)
        yield Comparison(
            "loaders_cold_256",
            "Loading the first epoch from disk, batch 256",
            "images/s",
            _measure(loaders, "measure_cold", 256, rounds),
            _BARE_PNG,
        )


def _compare_training_input(
    files: SplitFiles, rounds: int
) -> Iterator[Comparison]:
    """Measures what a training with the default recipe needs of the host.

    The random distortion of the default recipe runs in the training step.
    """
    candidates: _Candidates = {
        _OURS: (SeqDigitsMemory,),
        _OURS_DISK: (SeqDigitsDisk,),
        _IN_ORDER: (InOrder,),
    }
    with _start_loaders(candidates, files) as loaders:
        for batch_size in (128, 1024):
            for method, unit in (
                ("measure_warm", "images/s"),
                ("measure_processor_time", "us of processor time per image"),
            ):
                yield Comparison(
                    f"training_input_{batch_size}_{method}",
                    f"Input of the default training, batch {batch_size}",
                    unit,
                    _measure(loaders, method, batch_size, rounds),
                    _OURS,
                )


def compare_small_images(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares loaders on images like CIFAR-10's.

    Args:
      manual_dir: Not used.
      folder: Directory for temporary data.
      rounds: Number of measurements of each candidate.

    Yields:
      Each comparison, as soon as it is complete.
    """
    del manual_dir
    with RemoteObject(SmallImagesWriter, folder) as writer:
        files = SplitFiles(
            SMALL_IMAGES,
            writer.call("write", "tfrecord"),
            _make_folder(folder / "small_images"),
            array_record_dir=writer.call("write", "array_record"),
        )
    with RemoteObject(SplitWriter, files) as writer:
        writer.call("write_arrays")
        writer.call("write_array_record")
    for candidates, method, title in (
        (_SMALL_WARM, "measure_warm", "from the second epoch on"),
        (_SMALL_COLD, "measure_cold", "in the first epoch, from disk"),
    ):
        with _start_loaders(candidates, files) as loaders:
            _measure(loaders, method, 256, rounds=1)
            yield Comparison(
                f"small_images_{method}",
                f"32x32 RGB images {title}, batch 256",
                "images/s",
                _measure(loaders, method, 256, rounds),
                _OURS,
            )


def _make_folder(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def _start_loaders(
    candidates: _Candidates, files: SplitFiles
) -> Iterator[dict[str, RemoteObject]]:
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(RemoteObject(make, files, *arguments))
            for name, (make, *arguments) in candidates.items()
        }


def _measure(
    loaders: Mapping[str, RemoteObject],
    method: str,
    batch_size: int,
    rounds: int,
) -> dict[str, list[float]]:
    return measure_in_turn(
        {
            name: functools.partial(loader.call, method, batch_size)
            for name, loader in loaders.items()
        },
        rounds,
        f"{method}, batch {batch_size}",
    )
