"""Loaders that use Hugging Face `datasets`.

See https://huggingface.co/docs/datasets/use_with_numpy.
"""

from benchmarks.loaders.loader import Batches, Loader
from benchmarks.loaders.split_files import SplitFiles


class HuggingFaceMemory(Loader):
    """`datasets.Dataset` of pixels, with its table in memory.

    Args:
      files: The split to read.
      format_name: "numpy" or "torch".
    """

    def __init__(self, files: SplitFiles, format_name: str) -> None:
        super().__init__(files)
        self._format_name = format_name

    def open(self) -> None:
        """Reads the Arrow table into memory."""
        self._open(self._files.hugging_face_pixels, keep_in_memory=True)

    def _open(self, path: str, *, keep_in_memory: bool) -> None:
        import datasets

        self._dataset = datasets.load_from_disk(
            path, keep_in_memory=keep_in_memory
        ).with_format(self._format_name)

    def epoch(self, batch_size: int) -> Batches:
        """Shuffles the row numbers, and reads one batch after the other."""
        shuffled = self._dataset.shuffle()
        for batch in shuffled.iter(batch_size, drop_last_batch=True):
            yield batch["image"], batch["label"]


class HuggingFaceDisk(HuggingFaceMemory):
    """`datasets.Dataset` of PNGs on disk, decoded when they are accessed."""

    def open(self) -> None:
        """Memory-maps the Arrow table."""
        self._open(self._files.hugging_face_pngs, keep_in_memory=False)
