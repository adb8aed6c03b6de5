"""The sources of glyphs, by name.

`SOURCES` is their table: to add one, add an entry with a function that names
the classes and one that loads the glyphs.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from sklearn import datasets as sklearn_datasets

from seqdigits_tfds import mnist_files
from seqdigits_tfds.errors import InputError
from seqdigits_tfds.glyphs import (
    DIGITS,
    GlyphSource,
    Settings,
    divide_by_six,
    resize,
)
from seqdigits_tfds.image_datasets import load_images, name_classes

GLYPH_SIZE = 28
"""Height and width of the digits of `mnist` and `optdigits`, in pixels."""


def load_glyphs(
    settings: Settings,
    data_dir: tfds.core.Path,
    manual_dir: str | None = None,
    dl_manager: tfds.download.DownloadManager | None = None,
) -> GlyphSource:
    """Loads all glyphs of a config's source.

    Args:
      settings: The config.
      data_dir: TFDS's data directory, where a TFDS source is looked for first.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.
        They are downloaded if the directory does not have them.
      dl_manager: Finds or downloads MNIST's files, instead of `manual_dir`.

    Raises:
      InputError: If the glyphs are not available, or can't be used.
    """

    def find_mnist() -> mnist_files.Files:
        return mnist_files.find_or_download(
            dl_manager or _make_download_manager(data_dir, manual_dir)
        )

    return find_source(settings.source).load(settings, data_dir, find_mnist)


def _make_download_manager(
    data_dir: tfds.core.Path, manual_dir: str | None
) -> tfds.download.DownloadManager:
    downloads = data_dir / "downloads"
    return tfds.download.DownloadManager(
        download_dir=downloads,
        manual_dir=(
            tfds.core.Path(manual_dir).expanduser()
            if manual_dir
            else downloads / "manual"
        ),
        url_infos=tfds.download.checksums.load_url_infos(
            tfds.core.Path(__file__).parent / "checksums.tsv"
        ),
        dataset_name="seqdigits",
        # TFDS refuses to use a manual directory without instructions.
        manual_dir_instructions="MNIST's four files",
    )


@dataclasses.dataclass(frozen=True)
class Source:
    """An entry of the table of sources.

    Attributes:
      name_classes: Returns the names of the classes, given the settings and the
        data directory.
      load: Loads the glyphs, given the settings, the data directory, and a
        function that finds MNIST's files.
      license: Licence and authors of the glyphs.
    """

    name_classes: Callable[[Settings, tfds.core.Path], Sequence[str]]
    load: Callable[
        [Settings, tfds.core.Path, Callable[[], mnist_files.Files]], GlyphSource
    ]
    license: str


def find_source(name: str) -> Source:
    """Finds a source in `SOURCES`.

    Args:
      name: A key of `SOURCES`, or one followed by ":" and more, such as
        "tfds:kmnist".

    Raises:
      InputError: If there is no such source.
    """
    kind, colon, rest = str(name).partition(":")
    kind += colon
    if kind not in SOURCES or bool(colon) != bool(rest):
        raise InputError(
            "source must be one of mnist, optdigits, tfds:NAME (a prepared TFDS"
            " dataset) and folder:PATH (a folder that tfds.ImageFolder reads),"
            f" got {name!r}"
        )
    return SOURCES[kind]


def _load_optdigits(*_: Any) -> GlyphSource:
    """Loads scikit-learn's bundled digits, enlarged to 28x28.

    The 1,797 images are 8x8 with values 0..16 (the test half of UCI's
    "Optical Recognition of Handwritten Digits"). Values are scaled to 0..255
    and rounded, then each image is resized with Pillow's bilinear filter.

    Rows are sorted by writer, and writers differ so much that accuracy on
    `validation` would not predict accuracy on `test` if the pools were
    contiguous; see `divide_by_six`. The drawback is that the pools share
    writers.
    """
    digits = sklearn_datasets.load_digits()
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)
    return GlyphSource.make(
        images=np.stack(
            [resize(image, (GLYPH_SIZE, GLYPH_SIZE)) for image in small]
        ),
        labels=digits.target,
        pools=divide_by_six(np.arange(len(small))),
    )


def _load_mnist(
    _settings: Settings,
    _data_dir: tfds.core.Path,
    find_mnist: Callable[[], mnist_files.Files],
) -> GlyphSource:
    """Loads MNIST: its 60,000 training digits, then its 10,000 test digits."""
    arrays = mnist_files.read_arrays(find_mnist())
    images, labels = (
        np.concatenate(
            [arrays[f"{part}-{content}"] for part in mnist_files.PARTS]
        )
        for content in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    return GlyphSource.make(
        images=images,
        labels=labels,
        pools={
            "train": np.arange(0, 55_000),
            "validation": np.arange(55_000, 60_000),
            "test": np.arange(60_000, 70_000),
        },
    )


SOURCES: Mapping[str, Source] = {
    "mnist": Source(
        lambda *_: DIGITS,
        _load_mnist,
        "MNIST: CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
    ),
    "optdigits": Source(
        lambda *_: DIGITS,
        _load_optdigits,
        "optdigits: CC BY 4.0, E. Alpaydin and C. Kaynak",
    ),
    "tfds:": Source(
        name_classes, load_images, "glyphs: as the dataset that they are from"
    ),
    "folder:": Source(
        name_classes,
        load_images,
        "glyphs: as the pictures that they are from",
    ),
}
"""The glyph sources by name; after a colon, the user names the dataset."""
