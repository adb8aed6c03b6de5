import gzip

import numpy as np
import pytest
import tensorflow_datasets as tfds

from glyph_sources import read_glyphs
from seqdigits_tfds import NO_GLYPH, SeqDigitsConfig, sources

SOURCES = ["mnist", "optdigits"]


@pytest.fixture
def load(tmp_path):
    """Loads a source; the function takes its name and MNIST's folder."""
    return lambda source, mnist_dir: sources.load_glyphs(
        SeqDigitsConfig(name="custom", source=source),
        tfds.core.Path(tmp_path / "data"),
        str(mnist_dir),
    )


@pytest.mark.parametrize("source", SOURCES)
def test_sources_have_the_published_digits(load, source, mnist_dir):
    loaded = load(source, mnist_dir)
    images, labels, pools = read_glyphs(source, mnist_dir)
    assert loaded.images.dtype == np.uint8
    assert (loaded.images[:-1] == images).all()
    assert loaded.labels.dtype == np.int64
    assert (loaded.labels[:-1] == labels).all()
    assert {k: set(v.tolist()) for k, v in loaded.pools.items()} == pools


@pytest.mark.parametrize("source", SOURCES)
def test_the_row_of_no_glyph_is_a_blank(load, source, mnist_dir):
    loaded = load(source, mnist_dir)
    assert not loaded.images[NO_GLYPH].any()
    assert loaded.labels[NO_GLYPH] == 10
    assert list(loaded.class_names) == [*"0123456789", "blank"]
    assert all(len(loaded.labels) - 1 not in p for p in loaded.pools.values())


@pytest.mark.parametrize("source", SOURCES)
def test_pools_share_no_row(load, source, mnist_dir):
    rows = np.concatenate([*load(source, mnist_dir).pools.values()])
    assert len(np.unique(rows)) == len(rows)


def test_files_may_be_uncompressed(load, mnist_dir, tmp_path):
    for path in mnist_dir.glob("*-ubyte.gz"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    assert len(load("mnist", tmp_path).images) == 70_001
