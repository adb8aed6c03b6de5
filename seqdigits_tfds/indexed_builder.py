"""A TFDS builder of any dataset that is a pure function of an index.

It knows nothing of digits. A subclass says how many examples each split has,
and makes those of given indices; the builder writes them in the order of their
indices: locally in threads, or on a cluster with Apache Beam. A shard is a
range of indices and the unit of work. Nothing is sorted or kept in memory, so
the time per example and the memory don't depend on the number of examples.
"""

import abc
import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import filelock
import tensorflow_datasets as tfds
from tensorflow_datasets.core import dataset_builder
from tensorflow_datasets.core.utils import shard_utils

from seqdigits_tfds import errors
from seqdigits_tfds.records import (
    MakeExamples,
    Shard,
    Written,
    add_up,
    to_hex,
    write_shard,
)
from seqdigits_tfds.shard_runners import write_in_threads, write_with_beam

_MIN_SHARDS = 8
"""Smallest number of shards of a split: one shard can neither be read in
parallel nor be divided among workers."""

_EXAMPLES_PER_SHARD = 100_000
"""Largest number of examples of a shard by default."""


class IndexedBuilder(dataset_builder.FileReaderBuilder):
    """Writes record k of a split as example k, for all k.

    The digest of the examples (`records.digest_examples`) becomes part of the
    metadata, as "digest"; `_info` must return metadata.
    """

    @property
    @abc.abstractmethod
    def num_examples(self) -> Mapping[str, int]:
        """Number of examples of each split, by name."""

    @abc.abstractmethod
    def open_examples(
        self, dl_manager: tfds.download.DownloadManager
    ) -> MakeExamples:
        """Loads what examples are made of.

        Returns:
          A function of a split and indices, int64 [n], that returns an array
          [n, ...] for each feature. It depends on nothing else, is called from
          several threads, and can be pickled.
        """

    def download_and_prepare(
        self,
        *,
        download_config: tfds.download.DownloadConfig | None = None,
        **kwargs: Any,
    ) -> None:
        """Like TFDS, but with at least 8 shards per split by default.

        A split with fewer examples than shards has a shard for each, since TFDS
        allows no empty ones. If another process is building the same dataset,
        waits for it. Folders that killed builds have left are removed.

        Raises:
          InputError: If the dataset can't be written, or the number of shards
            is not positive.
        """
        overwrites = (
            download_config is not None
            and download_config.download_mode.overwrite_dataset
        )
        # Importing it with this module would make `import seqdigits_tfds` slow.
        import tensorflow as tf

        def is_ready() -> bool:
            return self.is_prepared() and not overwrites

        try:
            # A prepared dataset may be in a folder that can't be written.
            if not is_ready():
                with self._lock_folder():
                    # Perhaps another process has just built it.
                    if not is_ready():
                        super().download_and_prepare(
                            download_config=download_config, **kwargs
                        )
                        return
            self.info.read_from_directory(self.data_dir)
        except (OSError, tf.errors.OpError) as error:
            reason = " ".join(str(error).split())
            raise errors.InputError(
                f"{self.info.full_name} can't be written to"
                f" {self.data_dir_root} ({reason}); free disk space, fix the"
                " permissions, or choose another --data_dir"
            ) from error

    @contextlib.contextmanager
    def _lock_folder(self) -> Iterator[None]:
        """Keeps other processes from building the same dataset."""
        folder = self.data_path.parent
        if "://" in os.fspath(folder):
            yield  # Object stores have no locks.
            return
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f".{self.data_path.name}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            print(
                "Waiting for another process that builds"
                f" {self.info.full_name}",
                file=sys.stderr,
                flush=True,
            )
            lock.acquire()
        try:
            # No other build is alive.
            for leftover in folder.glob(f"incomplete.*{self.data_path.name}"):
                leftover.rmtree()
            yield
        finally:
            lock.release()

    def _download_and_prepare(
        self,
        dl_manager: tfds.download.DownloadManager,
        download_config: tfds.download.DownloadConfig,
    ) -> None:
        """Writes all splits; called by `download_and_prepare`."""
        limit = download_config.max_examples_per_split
        if limit == 0:
            return
        shards = self._plan_shards(limit, download_config.num_shards)
        make_examples = self.open_examples(dl_manager)
        work = functools.partial(
            write_shard,
            make_examples=make_examples,
            features=self.info.features,
            file_format=self.info.file_format.value,
        )
        if download_config.beam_runner or download_config.beam_options:
            written = write_with_beam(
                work, shards, self.data_path / "beam", download_config
            )
        else:
            written = write_in_threads(work, shards, self.info.full_name)
        self.info.set_splits(
            tfds.core.SplitDict(
                [
                    self._make_split_info(split, shards, written)
                    for split in self.num_examples
                ]
            )
        )
        # A shard written twice by Beam may have left a part behind.
        for leftover in self.data_path.glob("incomplete.*"):
            leftover.unlink()
        self.info.metadata["digest"] = to_hex(add_up(written).digest)

    def _plan_shards(
        self, limit: int | None, num_shards: int | None
    ) -> list[Shard]:
        if num_shards is not None and num_shards < 1:
            raise errors.InputError(
                f"num_shards must be at least 1, got {num_shards}"
            )
        sizes = {
            split: min(size, limit or size)
            for split, size in self.num_examples.items()
        }
        shards = []
        for split, size in sizes.items():
            # TFDS allows no empty shards.
            count = min(
                size,
                num_shards or max(_MIN_SHARDS, -(-size // _EXAMPLES_PER_SHARD)),
            )
            template = self._get_filename_template(split)
            stops = shard_utils.get_shard_boundaries(size, count)
            for number, (start, stop) in enumerate(
                zip([0, *stops], stops, strict=False)
            ):
                path = template.sharded_filepath(
                    shard_index=number, num_shards=count
                )
                shards.append(
                    Shard(split, int(start), int(stop), os.fspath(path))
                )
        return shards

    def _make_split_info(
        self, split: str, shards: Sequence[Shard], written: Sequence[Written]
    ) -> tfds.core.SplitInfo:
        parts = []
        for shard, part in zip(shards, written, strict=True):
            if shard.split != split:
                continue
            if part.num_examples != shard.stop - shard.start:
                raise RuntimeError(
                    f"{shard.path} must have {shard.stop - shard.start}"
                    f" examples, got {part.num_examples}"
                )
            parts.append(part)
        return tfds.core.SplitInfo(
            name=split,
            shard_lengths=[part.num_examples for part in parts],
            num_bytes=add_up(parts).num_bytes,
            filename_template=self._get_filename_template(split),
        )
