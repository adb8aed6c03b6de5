"""Where single digits come from, and which of them each split may use.

A glyph source is one array of digits. Its rows are what the dataset's feature
`glyph_id` names, and each split draws from rows of its own.
"""

import dataclasses
import gzip
import hashlib
import struct
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from sklearn import datasets as sklearn_datasets

from seqdigits_tfds import errors

SOURCES = ("mnist", "optdigits")
"""Names of the glyph sources."""

GLYPH_SIZE = 28
"""Height and width of a glyph, in pixels."""


@dataclasses.dataclass(frozen=True)
class GlyphSource:
    """Single digits, and the rows that each split may use.

    Attributes:
      images: uint8 [n, 28, 28], 0 = background, 255 = full ink.
      labels: int64 [n], 0..9.
      pools: int64, the rows of each split, pairwise disjoint.
    """

    images: np.ndarray
    labels: np.ndarray
    pools: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _IdxFile:
    """One file of the MNIST database, as published, without its .gz.

    Attributes:
      magic: First four bytes, big-endian: data type and number of axes.
      shape: The axes that follow the magic number.
      sha256: Of the uncompressed content; the .gz around it may differ.
    """

    magic: int
    shape: tuple[int, ...]
    sha256: str


_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"

_MNIST_FILES = {
    "train-images-idx3-ubyte": _IdxFile(
        2051,
        (60_000, GLYPH_SIZE, GLYPH_SIZE),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": _IdxFile(
        2049,
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": _IdxFile(
        2051,
        (10_000, GLYPH_SIZE, GLYPH_SIZE),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": _IdxFile(
        2049,
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}

MNIST_URLS = {name: f"{_MNIST_URL}{name}.gz" for name in _MNIST_FILES}
"""Where each of the four files is downloaded from."""


def load_optdigits() -> GlyphSource:
    """Loads scikit-learn's bundled digits, enlarged to 28x28.

    The 1,797 images are 8x8 with values 0..16 (the test half of UCI's
    "Optical Recognition of Handwritten Digits"). Values are scaled to 0..255
    and rounded, then each image is resized with Pillow's bilinear filter.

    Of every six rows, four go to `train`, one to `validation` and one to
    `test`. The rows of a writer stand together and writers differ much, so
    pools of contiguous rows would be too unlike each other for `validation` to
    tell anything about `test`; the price is that the splits share writers.
    """
    digits = sklearn_datasets.load_digits()
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)
    size = (GLYPH_SIZE, GLYPH_SIZE)
    images = np.stack(
        [
            np.asarray(
                Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
            )
            for image in small
        ]
    )
    rows = np.arange(len(images))
    return GlyphSource(
        images=images,
        labels=digits.target.astype(np.int64),
        pools={
            "train": np.flatnonzero(rows % 6 < 4),
            "validation": np.flatnonzero(rows % 6 == 4),
            "test": np.flatnonzero(rows % 6 == 5),
        },
    )


def load_mnist(files: Mapping[str, tfds.core.Path]) -> GlyphSource:
    """Loads MNIST: its 60,000 training digits, then its 10,000 test digits.

    Args:
      files: Path of each of the four files, by its name without ".gz";
        compressed or not.

    Returns:
      70,000 glyphs. `train` has rows 0..54,999 and `validation` rows
      55,000..59,999, all from MNIST's training digits; `test` has rows
      60,000..69,999, MNIST's test digits.

    Raises:
      InputError: If a file isn't what it should be.
    """
    arrays = {name: _read_idx(files[name], name) for name in _MNIST_FILES}
    return GlyphSource(
        images=np.concatenate(
            [
                arrays["train-images-idx3-ubyte"],
                arrays["t10k-images-idx3-ubyte"],
            ]
        ),
        labels=np.concatenate(
            [
                arrays["train-labels-idx1-ubyte"],
                arrays["t10k-labels-idx1-ubyte"],
            ]
        ).astype(np.int64),
        pools={
            "train": np.arange(0, 55_000),
            "validation": np.arange(55_000, 60_000),
            "test": np.arange(60_000, 70_000),
        },
    )


def find_mnist_files(
    manual_dir: tfds.core.Path,
) -> dict[str, tfds.core.Path] | None:
    """Looks for MNIST's four files, each plain or as .gz.

    Args:
      manual_dir: TFDS's manual directory; it need not exist.

    Returns:
      Path of each file, by its name without ".gz"; None if there is none.

    Raises:
      InputError: If some of the four are there and some are not.
    """
    found = {}
    for name in _MNIST_FILES:
        for path in (manual_dir / name, manual_dir / f"{name}.gz"):
            if path.exists():
                found[name] = path
                break
    if not found:
        return None
    missing = [name for name in _MNIST_FILES if name not in found]
    if missing:
        raise errors.InputError(
            f"MNIST needs four files, and {manual_dir} lacks"
            f" {', '.join(missing)} (plain or .gz); add what is missing, or"
            " use another manual directory"
        )
    return found


def why_not_downloadable(download_dir: tfds.core.Path) -> str | None:
    """Says, within 8 seconds, why MNIST can't be downloaded.

    TFDS's own downloader tries for minutes before it gives up.

    Args:
      download_dir: Where TFDS keeps downloads; it need not exist.

    Returns:
      The reason; None if MNIST is there already or its server answers.
    """
    # TFDS puts a folder's name before and a checksum after the file's name.
    if download_dir.exists() and all(
        any(download_dir.glob(f"seqdigits/*{name}*.gz"))
        for name in _MNIST_FILES
    ):
        return None
    return _why_unreachable(_MNIST_URL)


def describe_missing_mnist(manual_dir: object, reason: str) -> str:
    """Words the error for MNIST files that can't be had.

    Args:
      manual_dir: Where the files were looked for.
      reason: Why they can't be downloaded.
    """
    return (
        f"MNIST's files ({', '.join(_MNIST_FILES)}; plain or .gz) are not in"
        f" {manual_dir} and can't be downloaded ({reason}); put them into the"
        " manual directory (--manual_dir), connect to the internet, or use"
        " seqdigits/optdigits, which needs neither"
    )


def _why_unreachable(url: str) -> str | None:
    """Returns why there is no HTTP answer from `url`; None if there is one."""
    outcome: list[str | None] = ["no answer within 8 seconds"]

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except urllib.error.HTTPError:
            outcome[0] = None  # The server answered: the network works.
        except urllib.error.URLError as error:
            outcome[0] = str(error.reason)
        except OSError as error:
            outcome[0] = str(error)
        else:
            outcome[0] = None

    # Looking up a host name has no timeout of its own; a daemon thread can be
    # left behind.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout=8)
    return outcome[0]


def _read_idx(path: tfds.core.Path, name: str) -> np.ndarray:
    """Reads one of MNIST's files and checks that it is the published one."""
    expected = _MNIST_FILES[name]
    advice = "; replace it with the published file"
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":  # gzip's own magic number.
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise errors.InputError(
                f"{path} is truncated or damaged: not a whole gzip file"
                f" ({error}){advice}"
            ) from error
    header_size = 4 * (1 + len(expected.shape))
    size = header_size + int(np.prod(expected.shape))
    if len(content) < header_size:
        raise errors.InputError(
            f"{path} is truncated: {size} bytes wanted (uncompressed),"
            f" {len(content)} found{advice}"
        )
    magic = struct.unpack(">i", content[:4])[0]
    if magic != expected.magic:
        raise errors.InputError(
            f"{path} is not MNIST's {name}: magic number {expected.magic}"
            f" wanted, {magic} found{advice}"
        )
    if len(content) != size:
        raise errors.InputError(
            f"{path} is truncated or too long: {size} bytes wanted"
            f" (uncompressed), {len(content)} found{advice}"
        )
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != expected.sha256:
        raise errors.InputError(
            f"{path} has the wrong content: SHA-256 {expected.sha256} wanted"
            f" (uncompressed), {sha256} found{advice}"
        )
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(
        expected.shape
    )
