"""Finds, downloads, verifies and reads MNIST's four files."""

import dataclasses
import gzip
import hashlib
import http.client
import math
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from concurrent import futures

import numpy as np
import tensorflow_datasets as tfds

from seqdigits_tfds import errors


@dataclasses.dataclass(frozen=True)
class _IdxFile:
    """A file of the MNIST database, as published, uncompressed.

    Attributes:
      shape: The shape of its array of bytes, which follows a header.
      sha256: SHA-256 of the content; the compression may differ.
    """

    shape: tuple[int, ...]
    sha256: str


MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
"""Where the files can be downloaded; tried in this order."""

_FILES = {
    "train-images-idx3-ubyte": _IdxFile(
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": _IdxFile(
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": _IdxFile(
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": _IdxFile(
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}

PARTS = ("train", "t10k")
"""The two parts of MNIST, as the names of the files begin."""

Files = Mapping[str, tfds.core.Path]
"""Path of each of the four files, plain or .gz, by its name without ".gz"."""


def find_files(
    manual_dir: tfds.core.Path,
) -> dict[str, tfds.core.Path] | None:
    """Finds MNIST's four files, each plain or as .gz.

    Args:
      manual_dir: TFDS's manual directory; it need not exist.

    Returns:
      Path of each file, by its name without ".gz"; None if none of them
      exists.

    Raises:
      InputError: If only some of the four files exist.
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
            f"MNIST needs four files, but {manual_dir} lacks"
            f" {', '.join(missing)} (plain or .gz); add the missing files, or"
            " use another manual directory"
        )
    return found


def read_arrays(files: Mapping[str, tfds.core.Path]) -> dict[str, np.ndarray]:
    """Reads the four files.

    Args:
      files: Path of each file, by its name without ".gz".

    Returns:
      Arrays by file name, uint8: images [60_000 or 10_000, 28, 28], labels
      [60_000 or 10_000].

    Raises:
      InputError: If a file is not the published one.
    """
    return {name: _read_idx(files[name], name) for name in _FILES}


def find_or_download(dl_manager: tfds.download.DownloadManager) -> Files:
    """Finds MNIST's files in the manual directory, or downloads them.

    Args:
      dl_manager: Knows the directories; the manual one need not exist.

    Raises:
      InputError: If only some of the files exist, or they can't be downloaded.
    """
    try:
        manual_dir = dl_manager.manual_dir
        files = find_files(manual_dir)
    except AssertionError:  # Raised by TFDS if it does not exist.
        manual_dir, files = "the manual directory", None
    if files is not None:
        return files
    reasons = []
    was_downloaded = _was_downloaded(dl_manager.download_dir)
    for mirror in MIRRORS:
        # TFDS's own downloader retries for minutes before it gives up.
        reason = None if was_downloaded else _why_unreachable(mirror)
        if reason is None:
            try:
                files = dl_manager.download(
                    {name: f"{mirror}{name}.gz" for name in _FILES}
                )
                read_arrays(files)
                return files
            except Exception as error:  # From TFDS, requests or the disk.
                reason = " ".join(str(error).split())
        reasons.append(reason)
    raise errors.InputError(
        describe_missing_files(manual_dir, "; ".join(reasons))
    )


def why_not_downloadable(download_dir: tfds.core.Path) -> str | None:
    """Finds out, within 8 seconds, why MNIST can't be downloaded.

    Args:
      download_dir: TFDS's directory for downloads; it need not exist.

    Returns:
      The reason; None if MNIST was downloaded before or a server answers.
    """
    if _was_downloaded(download_dir):
        return None
    with futures.ThreadPoolExecutor() as executor:
        reasons = list(executor.map(_why_unreachable, MIRRORS))
    return None if None in reasons else reasons[0]


def _was_downloaded(download_dir: tfds.core.Path) -> bool:
    # TFDS adds the name of the URL's folder and a checksum to the file's name.
    return download_dir.exists() and all(
        any(download_dir.glob(f"seqdigits/*{name}*.gz")) for name in _FILES
    )


def describe_missing_files(manual_dir: object, reason: str) -> str:
    """Returns the error message for MNIST files that are not available.

    Args:
      manual_dir: The directory that was searched.
      reason: Why they can't be downloaded.
    """
    return (
        f"MNIST's files ({', '.join(_FILES)}; plain or .gz) are not in"
        f" {manual_dir} and can't be downloaded ({reason}); copy them to the"
        " manual directory (--manual_dir), connect to the internet, or use"
        " seqdigits/optdigits, which needs neither"
    )


def _why_unreachable(url: str) -> str | None:
    """Returns why `url` does not answer; None if it answers."""
    outcome: list[str | None] = ["no answer within 8 seconds"]

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        # `urlopen` would always use the proxies of its first call.
        opener = urllib.request.build_opener()
        try:
            opener.open(request, timeout=5).close()
        except urllib.error.HTTPError:
            outcome[0] = None  # The server has answered.
        except urllib.error.URLError as error:
            outcome[0] = str(error.reason)
        except (OSError, ValueError, http.client.HTTPException) as error:
            outcome[0] = str(error)
        else:
            outcome[0] = None

    # Resolving a host name has no timeout, but a daemon thread can be left
    # running.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout=8)
    return outcome[0]


def _read_idx(path: tfds.core.Path, name: str) -> np.ndarray:
    """Reads one of MNIST's files, and checks that it is the published one."""
    expected = _FILES[name]
    advice = "; replace it with the published file"
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):  # The magic number of gzip.
            content = gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise errors.InputError(
            f"{path} can't be read ({error}){advice}"
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != expected.sha256:
        raise errors.InputError(
            f"{path} is not MNIST's {name}: expected SHA-256"
            f" {expected.sha256} uncompressed, found {sha256} of"
            f" {len(content):,} bytes{advice}"
        )
    size = math.prod(expected.shape)
    return np.frombuffer(content, np.uint8)[-size:].reshape(expected.shape)
