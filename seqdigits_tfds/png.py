"""Images -> PNGs that are fast to make, and fast to read.

They are as plain as PNG allows: greyscale, one chunk of data, no row filtered.
Who knows that can decode them with zlib alone, in two thirds of the time, and
in half of what filtered ones take.
"""

import struct
import zlib

import numpy as np

CHUNK_HEAD_SIZE = 8
"""Bytes of a chunk before its data: the data's length (big-endian), a name."""

HEADER_SIZE = 33
"""Bytes of what `make_header` makes."""

FRAME_SIZE = 57
"""Bytes of a file that are not its data: the header, the data's chunk without
the data, and the chunk that ends the file."""


def make_header(height: int, width: int) -> bytes:
    """Makes what a greyscale PNG begins with: signature and first chunk."""
    fields = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _make_chunk(b"IHDR", fields)


def encode_png(image: np.ndarray) -> bytes:
    """Encodes a uint8 [height, width, 1] image as a plain greyscale PNG."""
    height, width, _ = image.shape
    # Each row begins with the number of its filter; 0 is none.
    rows = np.zeros((height, 1 + width), np.uint8)
    rows[:, 1:] = image[:, :, 0]
    # Looking for runs alone takes about half the time of zlib's default.
    # Digits have long runs of background, and little else repeats.
    zipped = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    return (
        make_header(height, width)
        + _make_chunk(b"IDAT", zipped.compress(rows.tobytes()) + zipped.flush())
        + _make_chunk(b"IEND", b"")
    )


def _make_chunk(name: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum
