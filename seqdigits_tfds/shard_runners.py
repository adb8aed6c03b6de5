"""Writes the shards of a dataset: in threads, or on a cluster."""

import dataclasses
import functools
import json
import os
import pickle
import threading
from collections.abc import Sequence
from concurrent import futures

import tensorflow_datasets as tfds

from seqdigits_tfds.errors import InputError
from seqdigits_tfds.records import Shard, Written
from seqdigits_tfds.terminal import Progress


def write_in_threads(
    work: functools.partial[Written], shards: Sequence[Shard], name: str
) -> list[Written]:
    """Writes shards on all cores, with a progress bar."""
    is_stopped = threading.Event()
    num_examples = sum(shard.stop - shard.start for shard in shards)
    with (
        Progress(num_examples, f"Generating {name}", "examples") as progress,
        futures.ThreadPoolExecutor(os.cpu_count()) as executor,
    ):

        def advance(count: int) -> None:
            if is_stopped.is_set():
                raise InterruptedError("another shard failed")
            progress.advance(count)

        pending = [
            executor.submit(work, shard, advance=advance) for shard in shards
        ]
        try:
            return [future.result() for future in pending]
        except BaseException:
            is_stopped.set()
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def write_with_beam(
    work: functools.partial[Written],
    shards: Sequence[Shard],
    folder: tfds.core.Path,
    download_config: tfds.download.DownloadConfig,
) -> list[Written]:
    """Writes shards with Apache Beam, on all workers of its runner.

    Workers get the work, and report what they have written, in a folder that
    all of them share, because some runners can't return results. Beam may write
    a shard again on another worker.
    """
    import apache_beam as beam

    folder.mkdir()
    job = folder / "work.pickle"
    job.write_bytes(pickle.dumps(work))
    reports = [folder / f"{number}.json" for number in range(len(shards))]
    try:
        pipeline = beam.Pipeline(
            download_config.beam_runner, download_config.beam_options
        )
    except ValueError as error:
        raise InputError(
            f"Beam can't be started: {error}; change the options of Beam"
        ) from error
    with pipeline:
        # One linear pipeline: Dask's runner computes only the last transform.
        _ = (
            pipeline
            | beam.Create(
                list(zip(shards, map(os.fspath, reports), strict=True))
            )
            | beam.Reshuffle()
            | beam.Map(_write_and_report, os.fspath(job))
        )
    missing = sum(not report.exists() for report in reports)
    if missing:
        raise RuntimeError(
            f"{missing} of {len(shards)} shards were not written; look at the"
            " logs of Beam's workers, and build again"
        )
    written = [Written(**json.loads(report.read_text())) for report in reports]
    folder.rmtree()
    return written


def _write_and_report(task: tuple[Shard, str], job: str) -> None:
    """Writes a shard in a worker of Beam."""
    shard, report = task
    written = _load_work(job)(shard)
    # JSON has no limit for integers, nor has Python's reader.
    tfds.core.Path(report).write_text(json.dumps(dataclasses.asdict(written)))


@functools.lru_cache(maxsize=1)
def _load_work(job: str) -> functools.partial[Written]:
    return pickle.loads(tfds.core.Path(job).read_bytes())
