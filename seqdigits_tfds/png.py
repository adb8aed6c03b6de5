"""Encodes images as plain PNGs, and defines their layout.

A plain PNG is greyscale with 8 bits per pixel, and has one data chunk and no
filtered rows. Any decoder reads it. A reader that knows this layout can inflate
whole batches with zlib, in two thirds of the time of a PNG decoder on the same
files and in half of its time on filtered ones.

The file consists of a header that only depends on the image's size, the data's
length, the chunk's name, the data, a checksum and an end chunk. The data
inflates to `height` rows of 1 + `width` bytes: the filter, `NO_FILTER`, then
the pixels.
"""

import struct
import zlib

import numpy as np

LENGTH_OFFSET = 33
"""Offset of the data's length, 4 bytes, big-endian, right after the header."""

DATA_OFFSET = LENGTH_OFFSET + 8
"""Offset of the data."""

OVERHEAD = DATA_OFFSET + 16
"""Number of bytes of a file that are not data."""

NO_FILTER = 0
"""First byte of each row: PNG's number for "not filtered"."""


def make_header(height: int, width: int) -> bytes:
    """Makes the header of a plain PNG: the signature and the first chunk."""
    fields = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _make_chunk(b"IHDR", fields)


def encode_png(image: np.ndarray) -> bytes:
    """Encodes a uint8 [height, width, 1] image as a plain greyscale PNG."""
    height, width, _ = image.shape
    rows = np.full((height, 1 + width), NO_FILTER, np.uint8)
    rows[:, 1:] = image[:, :, 0]
    # Z_RLE only looks for runs, in about half the time of zlib's default. The
    # background forms long runs, and little else repeats.
    zipped = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    return (
        make_header(height, width)
        + _make_chunk(b"IDAT", zipped.compress(rows.tobytes()) + zipped.flush())
        + _make_chunk(b"IEND", b"")
    )


def _make_chunk(name: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum
