"""Finds and opens pictures, and rejects files that are not usable pictures."""

import io
import math
import os
import sys
import warnings
from collections.abc import Iterable, Iterator

from PIL import Image, ImageOps, UnidentifiedImageError

from seqdigits_tfds import InputError

MAX_PIXELS = 50_000_000
"""Largest picture that is decoded: 50 megapixels, 150 MB in colour."""

_SUFFIXES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_MAX_BYTES = 200_000_000


def find_pictures(names: Iterable[str]) -> Iterator[str]:
    """Yields the names of all pictures, and expands folders.

    A folder is replaced by the picture files in it, sorted by name.

    Args:
      names: Files, folders, and "-" for standard input.
    """
    for name in names:
        if not os.path.isdir(name):
            yield name
            continue
        files = sorted(
            entry.path
            for entry in os.scandir(name)
            if entry.is_file() and entry.name.lower().endswith(_SUFFIXES)
        )
        # A folder without pictures is reported as not a picture.
        yield from files or [name]


def open_picture(name: str) -> Image.Image:
    """Opens and decodes a picture.

    Args:
      name: A file, or "-" for standard input.

    Raises:
      InputError: If it is not a complete, still PNG or JPEG of at most
        `MAX_PIXELS` and 200 MB.
    """
    try:
        content = _read(name)
    except IsADirectoryError:
        raise InputError(
            "expected a folder with .png, .jpg or .jpeg files, found none in it"
        ) from None
    except FileNotFoundError:
        raise InputError("expected a file or folder, found nothing") from None
    except OSError as error:
        raise _make_damage_error(error) from error
    return decode_picture(content)


def decode_picture(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decodes a picture, and turns it upright as its metadata say.

    Args:
      content: The content of a file.
      max_pixels: The largest picture that is decoded.

    Raises:
      InputError: If it is not a complete, still PNG or JPEG of at most that
        size.
    """
    file = io.BytesIO(content)
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures before it rejects larger ones.
            warnings.simplefilter("ignore")
            picture = Image.open(file, formats=_FORMATS)
            if math.prod(picture.size) > max_pixels:
                raise _make_size_error(max_pixels)
            # In a JPEG with several pictures (MPO), the first is the main one.
            if picture.format == "PNG" and getattr(picture, "n_frames", 1) > 1:
                raise InputError(
                    "expected a still picture, found an animated one; save one"
                    " of its frames"
                )
            picture.verify()  # Checksums, which `load` ignores.
            picture = Image.open(file, formats=_FORMATS)
            picture.load()
            try:
                return ImageOps.exif_transpose(picture)
            except Exception:
                # Pillow raises any of many on damaged metadata.
                return picture
    except UnidentifiedImageError:
        raise InputError(
            "expected a PNG or JPEG, found something else"
        ) from None
    except Image.DecompressionBombError:
        raise _make_size_error(max_pixels) from None
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise _make_damage_error(error) from error


def _read(name: str) -> bytes:
    if name == "-":
        content = sys.stdin.buffer.read(_MAX_BYTES + 1)
    else:
        with open(name, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise InputError(
            f"expected a file of at most {_MAX_BYTES:,} bytes, found a larger"
            " one"
        )
    return content


def _make_size_error(max_pixels: int) -> InputError:
    return InputError(
        f"expected a picture of at most {max_pixels:,} pixels, found a larger"
        " one; scale it down"
    )


def _make_damage_error(error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(
        f"expected a complete PNG or JPEG, found a damaged one ({reason})"
    )
