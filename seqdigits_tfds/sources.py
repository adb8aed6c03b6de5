"""Sources of single glyphs, and the glyphs that each split may use.

A glyph source is one array of labelled images. The dataset's feature `glyph_id`
refers to its rows, and each split draws from its own rows.

`SOURCES` is the table of sources: to add one, add an entry with a function that
names the classes and one that loads the glyphs.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from sklearn import datasets as sklearn_datasets

from seqdigits_tfds import errors, mnist_files

GLYPH_SIZE = 28
"""Height and width of the digits of `mnist` and `optdigits`, in pixels."""

POOLS = ("train", "validation", "test")
"""Names of the pools: disjoint sets of rows."""

DIGITS = tuple(map(str, range(10)))

BLANK_NAME = "blank"
"""Name of the class of a position after the last glyph."""

Pools = Mapping[str, np.ndarray]
"""int64 rows by name of the pool, pairwise disjoint."""


class Settings(Protocol):
    """What a source needs to know; part of `SeqDigitsConfig`."""

    source: str
    source_splits: Mapping[str, str] | None
    glyph_size: int | None
    invert: bool


@dataclasses.dataclass(frozen=True)
class GlyphSource:
    """Labelled glyphs, and the rows that each split may use.

    Attributes:
      images: uint8 [n + 1, h, w], 0 = background, 255 = full ink. The last one
        is the blank, so `composition.NO_GLYPH`, -1, selects it.
      labels: int64 [n + 1], classes; that of the blank is the last.
      pools: Rows by name of the pool.
      class_names: Names of the classes, and of the blank.
    """

    images: np.ndarray
    labels: np.ndarray
    pools: Pools
    class_names: Sequence[str]

    @classmethod
    def make(
        cls,
        images: np.ndarray,
        labels: np.ndarray,
        pools: Pools,
        class_names: Sequence[str] = DIGITS,
    ) -> Self:
        """Appends the blank to images [n, h, w] and labels [n]."""
        blank = np.zeros_like(images[:1])
        return cls(
            images=np.concatenate([images, blank]),
            labels=np.append(labels, len(class_names)).astype(np.int64),
            pools=pools,
            class_names=(*class_names, BLANK_NAME),
        )


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
        raise errors.InputError(
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
    contiguous; see `_divide_by_six`. The drawback is that the pools share
    writers.
    """
    digits = sklearn_datasets.load_digits()
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)
    return GlyphSource.make(
        images=np.stack(
            [_resize(image, (GLYPH_SIZE, GLYPH_SIZE)) for image in small]
        ),
        labels=digits.target,
        pools=_divide_by_six(np.arange(len(small))),
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


def _load_images(
    settings: Settings, data_dir: tfds.core.Path, _find_mnist: Any
) -> GlyphSource:
    """Loads an image-classification dataset of TFDS.

    The rows are its examples in the order on disk, split after split in the
    order of `builder.info.splits`. Colour becomes grey with the weights of
    ITU-R 601-2, as in Pillow.
    """
    builder = _open_builder(settings, data_dir)
    image_key, label_key = _find_keys(builder)
    height, width, channels = builder.info.features[image_key].shape
    size = (
        (settings.glyph_size,) * 2 if settings.glyph_size else (height, width)
    )
    if None in size:
        raise errors.InputError(
            f"the images of {settings.source} have different sizes; set"
            " glyph_size to the height and width of a glyph, such as 28"
        )
    images, labels = [], []
    for split in builder.info.splits:
        # TFDS would otherwise interleave the files.
        examples = builder.as_dataset(
            split=split, read_config=tfds.ReadConfig(interleave_cycle_length=1)
        )
        for example in tfds.as_numpy(examples):
            image = example[image_key]
            grey = image[..., 0] if channels == 1 else _to_grey(image)
            images.append(grey if grey.shape == size else _resize(grey, size))
            labels.append(example[label_key])
    stacked = np.stack(images)
    return GlyphSource.make(
        images=255 - stacked if settings.invert else stacked,
        labels=np.array(labels),
        pools=_make_pools(settings, builder.info.splits),
        class_names=builder.info.features[label_key].names,
    )


def _name_classes(
    settings: Settings, data_dir: tfds.core.Path
) -> Sequence[str]:
    builder = _open_builder(settings, data_dir)
    _, label_key = _find_keys(builder)
    return tuple(builder.info.features[label_key].names)


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
        _name_classes, _load_images, "glyphs: as the dataset that they are from"
    ),
    "folder:": Source(
        _name_classes,
        _load_images,
        "glyphs: as the pictures that they are from",
    ),
}
"""The glyph sources by name; after a colon, the user names the dataset."""


def _open_builder(
    settings: Settings, data_dir: tfds.core.Path
) -> tfds.core.DatasetBuilder:
    kind, _, name = settings.source.partition(":")
    if kind == "folder":
        builder = tfds.ImageFolder(name)
        if not sum(s.num_examples for s in builder.info.splits.values()):
            raise errors.InputError(
                f"{name} must have folders SPLIT/CLASS/*.png (or jpg), but no"
                " image was found"
            )
        return builder
    for directory in (data_dir, None):
        try:
            builder = tfds.builder(name, data_dir=directory)
        except (AssertionError, ValueError, tfds.core.DatasetNotFoundError):
            continue
        if builder.is_prepared():
            return builder
    raise errors.InputError(
        f"source {settings.source} is not prepared in {data_dir} or in TFDS's"
        f" default directory; run `tfds build {name} --data_dir={data_dir}`"
    )


def _find_keys(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    """Returns the names of the image and of the label."""
    features = builder.info.features
    keys = []
    for kind in (tfds.features.Image, tfds.features.ClassLabel):
        found = [name for name in features if isinstance(features[name], kind)]
        preferred = [
            name
            for name in found
            if name in (builder.info.supervised_keys or ())
        ]
        if len(found) > 1 and len(preferred) == 1:
            found = preferred
        if len(found) != 1:
            raise errors.InputError(
                f"a source needs exactly one {kind.__name__} feature, but"
                f" {builder.info.full_name} has {len(found)}; use an"
                " image-classification dataset"
            )
        keys += found
    image = features[keys[0]]
    if image.np_dtype != np.uint8 or image.shape[-1] not in (1, 3):
        raise errors.InputError(
            f"the images of {builder.info.full_name} must be uint8 with 1 or 3"
            f" channels, got {np.dtype(image.np_dtype).name} {image.shape};"
            " convert them"
        )
    return keys[0], keys[1]


def _make_pools(settings: Settings, splits: tfds.core.SplitDict) -> Pools:
    """Divides the rows of a TFDS dataset among the pools.

    `source_splits` says which split or part of a split each pool has. Without
    it, the pools are the splits of the same names. If there is no `validation`,
    it is the last twelfth of `train`. With a single split, rows are divided
    modulo 6.
    """
    lengths = {name: split.num_examples for name, split in splits.items()}
    starts = dict(
        zip(lengths, np.cumsum([0, *lengths.values()]).tolist(), strict=False)
    )
    chosen = settings.source_splits
    if chosen is None:
        if len(lengths) == 1:
            return _divide_by_six(np.arange(*lengths.values()))
        if "validation" in lengths:
            chosen = {pool: pool for pool in POOLS}
        else:
            cut = lengths.get("train", 0) * 11 // 12
            chosen = {
                "train": f"train[:{cut}]",
                "validation": f"train[{cut}:]",
                "test": "test",
            }
    pools = {}
    for pool in POOLS:
        try:
            parts = tfds.core.ReadInstruction.from_spec(
                chosen[pool]
            ).to_absolute(splits)
        except (AssertionError, KeyError, ValueError) as error:
            raise errors.InputError(
                f"source {settings.source} has the splits {lengths}, from which"
                f" {chosen[pool]!r} for the pool {pool} can't be taken; set"
                " source_splits, such as"
                ' {"train": "train[:80%]", "validation": "train[80%:90%]",'
                ' "test": "train[90%:]"}'
            ) from error
        pools[pool] = np.concatenate(
            [
                starts[part.splitname]
                + np.arange(lengths[part.splitname])[part.from_ : part.to]
                for part in parts
            ]
        )
    used = np.concatenate(list(pools.values()))
    if len(np.unique(used)) < len(used) or not all(map(len, pools.values())):
        raise errors.InputError(
            f"the pools of source {settings.source} must be disjoint and not"
            f" empty, got source_splits={dict(chosen)}; choose other parts"
        )
    return pools


def _divide_by_six(rows: np.ndarray) -> Pools:
    """Of every six rows, four go to `train`, and one to each other pool."""
    return {
        "train": rows[rows % 6 < 4],
        "validation": rows[rows % 6 == 4],
        "test": rows[rows % 6 == 5],
    }


def _to_grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).convert("L"))


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(
        Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    )
