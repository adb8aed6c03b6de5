"""MNIST's four files: found, checked to be the published ones, and read."""

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

from seqdigits_tfds import errors


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


_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"

_FILES = {
    "train-images-idx3-ubyte": _IdxFile(
        2051,
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": _IdxFile(
        2049,
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": _IdxFile(
        2051,
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": _IdxFile(
        2049,
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}

URLS = {name: f"{_URL}{name}.gz" for name in _FILES}
"""Where each of the four files is downloaded from."""


def find_files(
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
    for name in _FILES:
        for path in (manual_dir / name, manual_dir / f"{name}.gz"):
            if path.exists():
                found[name] = path
                break
    if not found:
        return None
    missing = [name for name in _FILES if name not in found]
    if missing:
        raise errors.InputError(
            f"MNIST needs four files, and {manual_dir} lacks"
            f" {', '.join(missing)} (plain or .gz); add what is missing, or"
            " use another manual directory"
        )
    return found


def read_arrays(files: Mapping[str, tfds.core.Path]) -> dict[str, np.ndarray]:
    """Reads the four files.

    Args:
      files: As `find_files` gives them.

    Returns:
      Arrays by file name, uint8: images [60_000 or 10_000, 28, 28], labels
      [60_000 or 10_000].

    Raises:
      InputError: If a file isn't the published one.
    """
    return {name: _read_idx(files[name], name) for name in _FILES}


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
        any(download_dir.glob(f"seqdigits/*{name}*.gz")) for name in _FILES
    ):
        return None
    return _why_unreachable(_URL)


def describe_missing_files(manual_dir: object, reason: str) -> str:
    """Words the error for MNIST files that can't be had.

    Args:
      manual_dir: Where the files were looked for.
      reason: Why they can't be downloaded.
    """
    return (
        f"MNIST's files ({', '.join(_FILES)}; plain or .gz) are not in"
        f" {manual_dir} and can't be downloaded ({reason}); put them into the"
        " manual directory (--manual_dir), connect to the internet, or use"
        " seqdigits/optdigits, which needs neither"
    )


def _why_unreachable(url: str) -> str | None:
    """Returns why there is no HTTP answer from `url`; None if there is one."""
    outcome: list[str | None] = ["no answer within 8 seconds"]

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        # Not `urlopen`, which keeps the proxies of its first call.
        opener = urllib.request.build_opener()
        try:
            opener.open(request, timeout=5).close()
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
    expected = _FILES[name]
    advice = "; replace it with the published file"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise errors.InputError(
            f"{path} can't be read ({error.strerror}){advice}"
        ) from error
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
