import gzip

import numpy as np
import pytest

from glyph_sources import read_glyphs
from seqdigits_tfds import glyphs, mnist_files


def load(source, mnist_dir):
    if source == "optdigits":
        return glyphs.load_optdigits()
    return glyphs.load_mnist(mnist_files.find_files(mnist_dir))


@pytest.mark.parametrize("source", glyphs.SOURCES)
def test_sources_have_the_published_digits(source, mnist_dir):
    loaded = load(source, mnist_dir)
    images, labels, pools = read_glyphs(source, mnist_dir)
    assert loaded.images.dtype == np.uint8
    assert (loaded.images == images).all()
    assert (loaded.labels == labels).all()
    assert {k: set(v.tolist()) for k, v in loaded.pools.items()} == pools


@pytest.mark.parametrize("source", glyphs.SOURCES)
def test_pools_share_no_row(source, mnist_dir):
    rows = np.concatenate([*load(source, mnist_dir).pools.values()])
    assert len(np.unique(rows)) == len(rows)


def test_files_may_be_uncompressed(mnist_dir, tmp_path):
    for path in mnist_dir.glob("*-ubyte.gz"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    assert len(load("mnist", tmp_path).images) == 70_000
