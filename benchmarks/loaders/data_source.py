"""TFDS's random access to a split, for the PyTorch and Grain loaders."""

from typing import Any

import numpy as np

from benchmarks.loaders.split_files import SplitFiles


class DataSource:
    """Images and labels from `tfds.data_source`, which decodes ArrayRecords.

    See https://www.tensorflow.org/datasets/data_source.

    Args:
      files: The split to read.
    """

    def __init__(self, files: SplitFiles) -> None:
        import tensorflow_datasets as tfds

        self._source = tfds.data_source(
            files.dataset, split="train", data_dir=files.array_record_dir
        )

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        example = self._source[index]
        return example["image"], np.asarray(example["label"])
