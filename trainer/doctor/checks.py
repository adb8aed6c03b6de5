"""The checks of one training: each describes a thing, or says what to do."""

import math
import os
import pathlib
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent import futures
from typing import Any

import psutil
from absl import app, flags, logging

from seqdigits_tfds import InputError, mnist_files
from seqdigits_tfds.terminal import quiet_tensorflow

with quiet_tensorflow():
    import keras
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from trainer import settings
    from trainer.config import MEMORY, TrainConfig
    from trainer.data import dataset
    from trainer.data.sequences import ExampleShape
    from trainer.distribution.cluster import (
        check_port_free,
        find_cluster,
        reach,
    )
    from trainer.distribution.strategy import MULTI_WORKER, make_strategy
    from trainer.model import models
    from trainer.run.directory import open_run
    from trainer.run.files import check_writable
    from trainer.run.schedule import Schedule

_GIB = 2**30
_RUN_BYTES = 2**28
"""Enough for the checkpoints and files of a run."""

_MEMORY_RESERVE = _GIB
"""Bytes of memory for TensorFlow itself."""

_NUM_SUMS = 5
_NUM_VALUES = 1_000_000


def define_flags() -> None:
    """Defines the trainer's flags."""
    settings.define_flags(TrainConfig)
    flags.adopt_module_key_flags(settings)


def main(argv: Sequence[str]) -> None:
    """Checks the training that the trainer's flags describe."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    logging.set_verbosity(logging.ERROR)
    if not Checkup(settings.read_flags(TrainConfig)).run():
        sys.exit(1)


class Checkup:
    """Looks at everything that a training needs, one thing after the other.

    Args:
      values: The trainer's settings, by name.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._failed: list[str] = []
        self._is_chief = True

    def run(self) -> bool:
        """Prints a line about each thing.

        Returns:
          Whether the training would work, as far as this can tell.
        """
        for name, needed, check in (
            ("settings", [], self._check_settings),
            ("devices", [], self._check_devices),
            ("replicas", ["settings"], self._check_replicas),
            ("workers", ["settings"], self._check_workers),
            ("dataset", ["settings"], self._check_dataset),
            ("disk", ["dataset"], self._check_disk),
            ("memory", ["dataset"], self._check_memory),
            ("model", ["dataset"], self._check_model),
            ("workdir", ["dataset", "model"], self._check_workdir),
        ):
            if set(needed) & set(self._failed):
                self._failed.append(name)
                continue
            try:
                text = check()
            except InputError as error:
                self._failed.append(name)
                text = str(error)
            if text:
                mark = "NO" if name in self._failed else "ok"
                print(f"{mark:4} {name:13} {text}", flush=True)
        return not self._failed

    def _check_settings(self) -> str:
        self._config = TrainConfig(**self._values)
        return "valid"

    def _check_devices(self) -> str:
        gpus = tf.config.list_physical_devices("GPU")
        names = [
            tf.config.experimental.get_device_details(gpu).get(
                "device_name", gpu.name
            )
            for gpu in gpus
        ]
        memory = psutil.virtual_memory()
        return (
            f"{', '.join(names) or 'no GPU'}; {os.cpu_count()} CPU core(s),"
            f" {memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB"
            " of memory free"
        )

    def _check_replicas(self) -> str:
        """Sums over the replicas of this machine."""
        config = self._config
        # All workers together can't sum before all of them have started.
        alone = config.strategy == MULTI_WORKER
        strategy = make_strategy(
            "mirrored" if alone else config.strategy, config.virtual_devices
        )
        num_replicas = strategy.num_replicas_in_sync
        if not alone:
            config.check_replicas(num_replicas)

        @tf.function
        def sum_over_replicas() -> tf.Tensor:
            def replica_fn() -> tf.Tensor:
                context = tf.distribute.get_replica_context()
                own = tf.ones([_NUM_VALUES])
                return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

            return strategy.experimental_local_results(
                strategy.run(replica_fn)
            )[0]

        seconds = []
        for _ in range(1 + _NUM_SUMS):  # The first one compiles.
            start = time.perf_counter()
            found = sum_over_replicas().numpy()
            seconds.append(time.perf_counter() - start)
        if (found != num_replicas).any():
            raise InputError(
                f"a sum of ones over {num_replicas} replicas must be"
                f" {num_replicas}, got {found.min()} to {found.max()}; update"
                " the GPUs' driver, or use --strategy=one_device"
            )
        milliseconds = 1e3 * statistics.median(seconds[1:])
        return (
            f"{num_replicas} on this machine; to sum {_NUM_VALUES:,} numbers"
            f" over them takes {milliseconds:.1f} ms"
        )

    def _check_workers(self) -> str | None:
        if self._config.strategy != MULTI_WORKER:
            return None
        cluster = find_cluster(self._config.workers, self._config.worker_index)
        self._is_chief = cluster.is_chief
        check_port_free(cluster)
        addresses = [a for job in cluster.tasks.values() for a in job]
        others = [a for a in addresses if a != cluster.address]
        with futures.ThreadPoolExecutor(32) as pool:
            listening = list(pool.map(reach, others))
        return (
            f"{cluster.address} of {len(cluster)} from {cluster.source}; its"
            " port is free; the others' hosts answer"
            f" ({sum(listening)} of {len(others)} are running)"
        )

    def _check_dataset(self) -> str:
        config = self._config
        choice = dataset.choose_dataset(
            config.dataset, config.data_dir, config.manual_dir
        )
        self._builder = choice.builder
        name, folder = self._builder.info.full_name, self._builder.data_path
        if self._builder.is_prepared():
            dataset.prepare_dataset(self._builder, config.manual_dir)
            return f"{name} is in {folder}, undamaged"
        self._check_source()
        check_writable(pathlib.Path(folder), "data_dir")
        reason = ", as MNIST's files are not here" if choice.warning else ""
        return f"{name} would be prepared in {folder}{reason}"

    def _check_source(self) -> None:
        if self._builder.builder_config.source != "mnist":
            return
        downloads = tfds.core.Path(self._builder.data_dir_root) / "downloads"
        folder = tfds.core.Path(self._config.manual_dir or downloads / "manual")
        folder = folder.expanduser()
        if mnist_files.find_files(folder):
            return
        reason = mnist_files.why_not_downloadable(downloads)
        if reason is not None:
            raise InputError(
                " ".join(
                    mnist_files.describe_missing_files(folder, reason).split()
                )
            )

    def _count_bytes(self) -> int:
        """Returns the size of the dataset's images, not compressed."""
        shape = self._builder.info.features["image"].shape
        return sum(self._count_examples().values()) * math.prod(shape)

    def _count_examples(self) -> Mapping[str, int]:
        """Returns the number of examples of each split, prepared or not."""
        splits = self._builder.info.splits
        return {
            name: split.num_examples for name, split in splits.items()
        } or self._builder.builder_config.num_examples

    def _check_disk(self) -> str:
        needs = []
        if self._is_chief:
            needs.append(("workdir", self._config.run_path, _RUN_BYTES))
        if not self._builder.is_prepared():
            # Compressed images are smaller; shards are written once more.
            path = pathlib.Path(self._builder.data_path)
            needs.append(("data_dir", path, self._count_bytes()))
        texts = []
        for setting, path, needed in needs:
            existing = next(
                p for p in (path, *path.absolute().parents) if p.exists()
            )
            free = shutil.disk_usage(existing).free
            if free < needed:
                raise InputError(
                    f"{setting} {path} needs up to {needed / _GIB:.1f} GiB of"
                    f" disk space, and {free / _GIB:.1f} GiB are free; free"
                    f" some, or choose another --{setting}"
                )
            texts.append(
                f"{free / _GIB:.1f} GiB free for {setting}, of which up to"
                f" {needed / _GIB:.1f} are needed"
            )
        return "; ".join(texts)

    def _check_memory(self) -> str:
        needed, free = self._count_bytes(), psutil.virtual_memory().available
        if self._config.input == MEMORY and needed > free - _MEMORY_RESERVE:
            raise InputError(
                f"the images need {needed / _GIB:.1f} GiB of memory besides"
                f" TensorFlow's, and {free / _GIB:.1f} are free; use"
                " --input=disk"
            )
        return (
            f"the images are {needed / _GIB:.1f} GiB, read from"
            f" {self._config.input}"
        )

    def _check_model(self) -> str:
        config = self._resolve()
        Schedule.from_config(config, self._count_examples()["train"])
        keras.config.set_dtype_policy(config.precision)
        model, _ = models.build(
            config.model,
            ExampleShape.from_dataset(self._builder),
            config.ensemble_size,
        )
        return f"{config.model}, {model.count_params():,} parameters"

    def _check_workdir(self) -> str | None:
        if not self._is_chief:  # The others need no access to it.
            return None
        config = self._resolve()
        path = config.run_path
        with open_run(path, is_chief=True) as run:
            run.check(config)
            if run.results is not None:
                return f"{path} has a finished run; nothing would be trained"
            if not path.exists():
                return f"{path} would be made"
            run.lock()
            return f"{path} exists; a run in it would be resumed"

    def _resolve(self) -> TrainConfig:
        builder = self._builder
        return self._config.resolve(
            builder.info.full_name, dataset.find_layout(builder)
        )
