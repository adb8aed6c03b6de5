"""The training split in the file format of each library."""

import dataclasses
import pathlib
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class SplitFiles:
    """The training split of a dataset, in several file formats.

    Attributes:
      dataset: TFDS name of the dataset.
      data_dir: TFDS data directory with the dataset as TFRecords.
      folder: Directory for the other formats; see `SplitWriter`.
      array_record_dir: TFDS data directory with the dataset as ArrayRecords;
        may be empty if it is not read.
    """

    dataset: str
    data_dir: str
    folder: pathlib.Path
    array_record_dir: str = ""

    @property
    def pixel_array_record(self) -> str:
        """ArrayRecord file with the bytes of an image and its label."""
        return str(self.folder / "pixels.array_record")

    @property
    def hugging_face_pngs(self) -> str:
        """Directory of a `datasets.Dataset` with images as PNGs."""
        return str(self.folder / "hugging_face_pngs")

    @property
    def hugging_face_pixels(self) -> str:
        """Directory of a `datasets.Dataset` with images as arrays."""
        return str(self.folder / "hugging_face_pixels")

    def make_builder(self) -> Any:
        """Makes the TFDS builder that reads the TFRecords."""
        import tensorflow_datasets as tfds

        return tfds.builder(self.dataset, data_dir=self.data_dir)

    def load_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Loads images uint8 [n, height, width, 1] and labels int64 [n, p]."""
        return (
            np.load(self.folder / "images.npy"),
            np.load(self.folder / "labels.npy"),
        )

    def read_pngs(self) -> list[bytes]:
        """Reads the images as PNGs, in the order of `load_arrays`."""
        import tensorflow_datasets as tfds

        examples = tfds.load(
            self.dataset,
            split="train",
            data_dir=self.data_dir,
            decoders={"image": tfds.decode.SkipDecoding()},
        )
        return [example["image"] for example in tfds.as_numpy(examples)]


class SplitWriter:
    """Writes the training split in all formats other than TFDS's.

    Args:
      files: The TFRecords to read, and the paths to write.
    """

    def __init__(self, files: SplitFiles) -> None:
        import tensorflow_datasets as tfds

        self._files = files
        examples = tfds.as_numpy(
            tfds.load(
                files.dataset,
                split="train",
                data_dir=files.data_dir,
                batch_size=-1,
            )
        )
        self._images, self._labels = examples["image"], examples["label"]

    def write_arrays(self) -> None:
        """Writes NumPy files."""
        np.save(self._files.folder / "images.npy", self._images)
        np.save(self._files.folder / "labels.npy", self._labels)

    def write_array_record(self) -> None:
        """Writes an ArrayRecord file of pixels."""
        from array_record.python import array_record_module

        # Grain's documentation requires groups of one record.
        writer = array_record_module.ArrayRecordWriter(
            self._files.pixel_array_record, "group_size:1"
        )
        for image, label in zip(self._images, self._labels, strict=True):
            writer.write(image.tobytes() + label.tobytes())
        writer.close()

    def write_hugging_face(self) -> None:
        """Writes Arrow tables of pixels and of PNGs."""
        import datasets

        pngs = [{"bytes": png} for png in self._files.read_pngs()]
        label = datasets.List(datasets.Value("int64"), self._labels.shape[1])
        for path, feature, images in (
            (self._files.hugging_face_pngs, datasets.Image(), pngs),
            (
                self._files.hugging_face_pixels,
                datasets.Array3D(self._images.shape[1:], "uint8"),
                self._images,
            ),
        ):
            datasets.Dataset.from_dict(
                {"image": images, "label": self._labels},
                datasets.Features(image=feature, label=label),
            ).save_to_disk(path)
