"""Reads the glyph sources without the package's code."""

import gzip

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def read_glyphs(config_name, mnist_dir):
    """Returns images uint8 [n, 28, 28], labels [n], and the rows by split."""
    if config_name == "optdigits":
        digits = load_digits()
        images = [
            Image.fromarray(np.rint(image * 255 / 16).astype(np.uint8)).resize(
                (28, 28), Image.BILINEAR
            )
            for image in digits.images
        ]
        rows = range(len(images))
        pools = {
            "train": {row for row in rows if row % 6 <= 3},
            "validation": {row for row in rows if row % 6 == 4},
            "test": {row for row in rows if row % 6 == 5},
        }
        return np.stack([np.array(i) for i in images]), digits.target, pools

    def read(name, header_size):
        content = gzip.decompress((mnist_dir / f"{name}-ubyte.gz").read_bytes())
        return np.frombuffer(content[header_size:], np.uint8)

    images = [read(f"{part}-images-idx3", 16) for part in ("train", "t10k")]
    labels = [read(f"{part}-labels-idx1", 8) for part in ("train", "t10k")]
    pools = {
        "train": set(range(55_000)),
        "validation": set(range(55_000, 60_000)),
        "test": set(range(60_000, 70_000)),
    }
    return (
        np.concatenate(images).reshape(-1, 28, 28),
        np.concatenate(labels),
        pools,
    )
