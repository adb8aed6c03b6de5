"""Loaders that use PyTorch's `DataLoader`.

See https://docs.pytorch.org/docs/stable/data.html.
"""

from typing import Any

from benchmarks.loaders.data_source import DataSource
from benchmarks.loaders.loader import Batches, Loader
from benchmarks.loaders.split_files import SplitFiles


class TorchTensors(Loader):
    """`DataLoader` over a `TensorDataset`, with the split in memory.

    Args:
      files: The split to read.
      num_workers: Number of processes that make batches; 0 to make them in the
        loader's process.
    """

    def __init__(self, files: SplitFiles, num_workers: int) -> None:
        super().__init__(files)
        self._num_workers = num_workers

    def open(self) -> None:
        """Makes the PyTorch dataset."""
        self._dataset = self._make_dataset()
        self._loaders: dict[int, Any] = {}

    def _make_dataset(self) -> Any:
        import torch
        from torch.utils.data import TensorDataset

        return TensorDataset(*map(torch.from_numpy, self._files.load_arrays()))

    def epoch(self, batch_size: int) -> Batches:
        """Returns the `DataLoader`, whose workers persist between epochs."""
        if batch_size not in self._loaders:
            self._loaders[batch_size] = self._make_loader(batch_size)
        return self._loaders[batch_size]

    def _make_loader(self, batch_size: int) -> Any:
        from torch.utils.data import DataLoader

        return DataLoader(
            self._dataset,
            batch_size=batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=self._num_workers,
            persistent_workers=self._num_workers > 0,
        )


class TorchBatchSampler(TorchTensors):
    """`DataLoader` that indexes the `TensorDataset` with whole batches.

    See "Disable automatic batching" in the documentation.
    """

    def _make_loader(self, batch_size: int) -> Any:
        from torch.utils import data

        batches = data.BatchSampler(
            data.RandomSampler(self._dataset), batch_size, drop_last=True
        )
        return data.DataLoader(
            self._dataset,
            batch_size=None,
            sampler=batches,
            num_workers=self._num_workers,
        )


class TorchDataSource(TorchTensors):
    """`DataLoader` over `tfds.data_source`, which reads from disk."""

    def _make_dataset(self) -> Any:
        return DataSource(self._files)
