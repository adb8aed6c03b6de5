"""Our builder and pipeline against what one would take instead.

Measures everything on this machine, in turn, and prints tables of medians.
"""

import contextlib
import functools
import importlib.util
import json
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import app, flags

from benchmarks import builds, feed_data, feeds, plain_seqdigits, step_time
from benchmarks.measuring import Child, Comparison, measure_in_turn
from seqdigits_tfds import InputError

_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Directory with MNIST's four files.", required=True
)
_OUT = flags.DEFINE_string("out", "runs/benchmarks", "Where results go.")
_ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "Measurements of each contestant.", lower_bound=1
)

_DATASET = "seqdigits/mnist"
_OURS = "seqdigits"
_MEBIBYTE = 1 << 20


def main(argv: Sequence[str]) -> None:
    """Runs the benchmarks that are named, or all."""
    benchmarks: dict[str, Callable[[str, pathlib.Path, int], Any]] = {
        "build": compare_builds,
        "feed": compare_feeds,
        "memory": compare_memory,
        "step": compare_steps,
    }
    names = argv[1:] or list(benchmarks)
    for name in names:
        if name not in benchmarks:
            raise app.UsageError(
                f"no benchmark {name!r}; there are {', '.join(benchmarks)}"
            )
    plain_seqdigits.load_glyphs(_MANUAL_DIR.value)
    for module in ("array_record", "datasets", "grain", "torch"):
        if importlib.util.find_spec(module) is None:
            raise InputError(
                f'{module} is to be compared with; pip install ".[bench]"'
            )
    out = pathlib.Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            for comparison in benchmarks[name](
                _MANUAL_DIR.value, pathlib.Path(folder), _ROUNDS.value
            ):
                print(comparison.to_markdown(), end="\n\n", flush=True)
                (out / f"{comparison.name}.json").write_text(
                    json.dumps(comparison.to_json(), indent=2)
                )
    print(f"See also {out}/*.json.")


def compare_builds(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares ways to make the dataset.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Where data may be written.
      rounds: Measurements of each.

    Yields:
      Each comparison, when it is done.
    """
    memory: dict[str, list[float]] = {}

    def build(name: str, dataset: str, module: str) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as data_dir:
            seconds, peak = builds.run_tfds_build(
                data_dir, dataset, module, manual_dir
            )
        memory.setdefault(name, []).append(peak / _MEBIBYTE)
        return seconds

    plain = "plain TFDS builder"
    seconds = measure_in_turn(
        {
            plain: functools.partial(
                build, plain, "plain_seqdigits", "benchmarks.plain_seqdigits"
            ),
            _OURS: functools.partial(build, _OURS, _DATASET, "seqdigits_tfds"),
        },
        rounds,
        "tfds build",
    )
    yield Comparison("build", "The command `tfds build`", "s", seconds, plain)
    yield Comparison(
        "build_memory", "Its peak resident memory", "MiB", memory, plain
    )
    with Child(builds.Generation, manual_dir) as child:
        ways = {
            "floor: compose, render, encode, write": "floor",
            _OURS: "ours",
            "notebook's loop, to .npz": "notebook",
        }
        seconds = measure_in_turn(
            {
                name: functools.partial(child.call, "measure", way)
                for name, way in ways.items()
            },
            rounds,
            "generation",
        )
    yield Comparison(
        "generation",
        "Generation alone, in a process that runs already",
        "s",
        seconds,
        next(iter(ways)),
    )


def compare_feeds(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares ways to stream shuffled batches; as `compare_builds`."""
    data = _prepare(manual_dir, folder)
    with Child(feed_data.Preparation, data) as child:
        child.call("write_arrays")
        child.call("write_array_record")
        child.call("write_hugging_face")
    floor = "floor: NumPy indexing"
    with _start_all(
        data,
        {
            floor: (feeds.NumPy,),
            _OURS: (feeds.SeqDigits,),
            "tfds.load": (feeds.TfdsLoad,),
            "DataLoader, 0 workers": (feeds.Torch, 0),
            "DataLoader, 1 worker": (feeds.Torch, 1),
            "DataLoader, 2 workers": (feeds.Torch, 2),
            "DataLoader, in bulk": (feeds.TorchInBulk, 0),
            "Hugging Face, numpy": (feeds.HuggingFace, "numpy"),
            "Hugging Face, torch": (feeds.HuggingFace, "torch"),
            "Grain, threads": (feeds.Grain, 0),
            "Grain, 2 processes": (feeds.Grain, 2),
        },
    ) as children:
        for batch_size in (256, 1024):
            yield Comparison(
                f"feed_warm_{batch_size}",
                f"Feeding from the second epoch on, batch {batch_size}",
                "images/s",
                _measure_all(children, "measure_warm", batch_size, rounds),
                floor,
            )
        memory = {
            name: [child.read_peak_memory() / _MEBIBYTE]
            for name, child in children.items()
        }
    yield Comparison(
        "feed_memory", "Its peak resident memory", "MiB", memory, floor
    )
    floor = "floor: PNG decoding"
    with _start_all(
        data,
        {
            floor: (feeds.PngDecoding,),
            _OURS: (feeds.SeqDigits,),
            f"{_OURS}, --input=records": (feeds.SeqDigitsRecords,),
            "tfds.load": (feeds.TfdsLoad,),
            "DataLoader, 2 workers": (feeds.TorchFromDisk, 2),
            "Hugging Face, numpy": (feeds.HuggingFaceFromDisk, "numpy"),
            "Grain, 2 processes": (feeds.GrainFromDisk, 2),
        },
    ) as children:
        # Not counted: libraries are imported in it.
        _measure_all(children, "measure_cold", 256, rounds=1)
        yield Comparison(
            "feed_cold",
            "Feeding the first epoch, from disk, batch 256",
            "images/s",
            _measure_all(children, "measure_cold", 256, rounds),
            floor,
        )


def compare_memory(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares a split with one of ten times the size; as `compare_builds`.

    Measures once, since these figures hardly vary.
    """
    large = json.dumps({"name": "mnist_10x", "num_train": 600_000})
    memory = {}
    for label, name, config in (
        ("60,000 examples", "mnist", "mnist"),
        ("600,000 examples", "mnist_10x", large),
    ):
        data_dir = str(folder / "sizes")
        _, peak = builds.run_tfds_build(
            data_dir,
            "seqdigits",
            "seqdigits_tfds",
            manual_dir,
            f"--config={config}",
        )
        memory[f"tfds build, {label}"] = [peak / _MEBIBYTE]
        data = feed_data.Data(f"seqdigits/{name}", data_dir, "", folder)
        with Child(feeds.SeqDigitsRecords, data) as child:
            child.call("measure_cold", 256)
            peak = child.read_peak_memory()
        memory[f"an epoch of --input=records, {label}"] = [peak / _MEBIBYTE]
    yield Comparison(
        "memory",
        "Peak resident memory, a training split and one of ten times the size",
        "MiB",
        memory,
        next(iter(memory)),
    )


def compare_steps(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares training with input and without; as `compare_builds`."""
    data = _prepare(manual_dir, folder)
    rounds *= 3
    fixed = "one batch over and over"
    ways = {fixed: True, "the pipeline": False}
    # One more of each, which compiles and fills the buffers.
    num_measurements = (rounds + 1) * len(ways)
    with Child(
        step_time.Training, _DATASET, data.data_dir, num_measurements
    ) as child:
        contestants = {
            name: functools.partial(child.call, "measure", is_fixed=is_fixed)
            for name, is_fixed in ways.items()
        }
        measure_in_turn(contestants, 1, "compilation")
        milliseconds = measure_in_turn(contestants, rounds, "steps")
    yield Comparison(
        "step",
        "A training step of the default model, batch 128",
        "ms",
        milliseconds,
        fixed,
    )


def _prepare(manual_dir: str, folder: pathlib.Path) -> feed_data.Data:
    data_dirs = {}
    for file_format in ("tfrecord", "array_record"):
        data_dir = data_dirs[file_format] = folder / file_format
        if not data_dir.exists():
            builds.run_tfds_build(
                str(data_dir),
                _DATASET,
                "seqdigits_tfds",
                manual_dir,
                f"--file_format={file_format}",
            )
    return feed_data.Data(
        _DATASET,
        str(data_dirs["tfrecord"]),
        str(data_dirs["array_record"]),
        folder,
    )


@contextlib.contextmanager
def _start_all(
    data: feed_data.Data, contestants: dict[str, Any]
) -> Iterator[dict[str, Child]]:
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(Child(make, data, *arguments))
            for name, (make, *arguments) in contestants.items()
        }


def _measure_all(
    children: dict[str, Child], method: str, batch_size: int, rounds: int
) -> dict[str, list[float]]:
    return measure_in_turn(
        {
            name: functools.partial(child.call, method, batch_size)
            for name, child in children.items()
        },
        rounds,
        f"{method.removeprefix('measure_')}, batch {batch_size}",
    )


if __name__ == "__main__":
    app.run(main)
