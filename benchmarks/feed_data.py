"""A split in the form that each contestant of the feeds wants."""

import dataclasses
import pathlib
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Data:
    """A split in the form that each contestant wants.

    Attributes:
      dataset: TFDS name of the dataset.
      data_dir: Where it is prepared, as TFRecords.
      array_record_dir: Where it is prepared, as ArrayRecord files.
      folder: Other forms of its training split; see `Preparation`.
    """

    dataset: str
    data_dir: str
    array_record_dir: str
    folder: pathlib.Path

    @property
    def raw_array_record(self) -> str:
        """ArrayRecord file with the bytes of image and label, side by side."""
        return str(self.folder / "raw.array_record")

    @property
    def hugging_face_pngs(self) -> str:
        """`datasets.Dataset` on disk, with images as PNGs."""
        return str(self.folder / "hugging_face_pngs")

    @property
    def hugging_face_pixels(self) -> str:
        """`datasets.Dataset` on disk, with images as arrays."""
        return str(self.folder / "hugging_face_pixels")

    def make_builder(self) -> Any:
        """Returns TFDS's builder of the TFRecords."""
        import tensorflow_datasets as tfds

        return tfds.builder(self.dataset, data_dir=self.data_dir)

    def load_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns decoded images and labels."""
        images, labels = (
            np.load(self.folder / f"{n}.npy") for n in ("images", "labels")
        )
        return images, labels


def read_pngs(data: Data) -> list[bytes]:
    """Reads the images of the training split as PNGs."""
    import tensorflow_datasets as tfds

    dataset = tfds.load(
        data.dataset,
        split="train",
        data_dir=data.data_dir,
        decoders={"image": tfds.decode.SkipDecoding()},
    )
    return [example["image"] for example in tfds.as_numpy(dataset)]


class Preparation:
    """Writes the training split in all the other forms.

    Args:
      data: What to read, and where to write.
    """

    def __init__(self, data: Data) -> None:
        import tensorflow_datasets as tfds

        self._data = data
        examples = tfds.as_numpy(
            tfds.load(
                data.dataset,
                split="train",
                data_dir=data.data_dir,
                batch_size=-1,
            )
        )
        self._images, self._labels = examples["image"], examples["label"]

    def write_arrays(self) -> None:
        """Writes NumPy's files."""
        np.save(self._data.folder / "images.npy", self._images)
        np.save(self._data.folder / "labels.npy", self._labels)

    def write_array_record(self) -> None:
        """Writes an ArrayRecord file with pixels."""
        from array_record.python import array_record_module

        # One record a group, as Grain's documentation asks for.
        writer = array_record_module.ArrayRecordWriter(
            self._data.raw_array_record, "group_size:1"
        )
        for image, label in zip(self._images, self._labels, strict=True):
            writer.write(image.tobytes() + label.tobytes())
        writer.close()

    def write_hugging_face(self) -> None:
        """Writes Arrow tables, with pixels and with PNGs."""
        import datasets

        size = self._images.shape[1:]
        pngs = [{"bytes": png} for png in read_pngs(self._data)]
        for path, kind, images in (
            (self._data.hugging_face_pngs, datasets.Image(), pngs),
            (
                self._data.hugging_face_pixels,
                datasets.Array3D(size, "uint8"),
                self._images,
            ),
        ):
            label = datasets.List(
                datasets.Value("int64"), self._labels.shape[1]
            )
            datasets.Dataset.from_dict(
                {"image": images, "label": self._labels},
                datasets.Features(image=kind, label=label),
            ).save_to_disk(path)
