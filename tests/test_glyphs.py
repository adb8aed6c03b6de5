import gzip
import shutil

import numpy as np
import pytest

from seqdigits_tfds import InputError, glyphs
from sources import read_glyphs

TRAIN_IMAGES = "train-images-idx3-ubyte"


def load(source, mnist_dir):
    if source == "optdigits":
        return glyphs.load_optdigits()
    return glyphs.load_mnist(glyphs.find_mnist_files(mnist_dir))


@pytest.mark.parametrize("source", glyphs.SOURCES)
def test_sources_are_what_they_say(source, mnist_dir):
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


def test_files_may_be_plain(mnist_dir, tmp_path):
    for path in mnist_dir.glob("*-ubyte.gz"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    assert len(load("mnist", tmp_path).images) == 70_000


@pytest.fixture
def damaged_dir(mnist_dir, tmp_path):
    for path in mnist_dir.glob("*-ubyte.gz"):
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path


def truncate(path):
    path.write_bytes(path.read_bytes()[:5_000_000])


def truncate_inside(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1], 1))


def leave_empty(path):
    path.write_bytes(b"")


def change_magic_number(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[3] = 1
    path.write_bytes(content)


def change_a_pixel(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[10_000] ^= 1
    path.write_bytes(gzip.compress(content, 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "is truncated or damaged: not a whole gzip file"),
        (truncate_inside, "47040016 bytes wanted .*, 47040015 found"),
        (leave_empty, "is truncated: 47040016 bytes wanted .*, 0 found"),
        (change_magic_number, "magic number 2051 wanted, 2049 found"),
        (change_a_pixel, "wrong content: SHA-256 ba891046.* wanted"),
    ],
)
def test_damaged_files_are_refused(damaged_dir, damage, message):
    damage(damaged_dir / f"{TRAIN_IMAGES}.gz")
    with pytest.raises(InputError, match=message) as caught:
        load("mnist", damaged_dir)
    assert str(damaged_dir / TRAIN_IMAGES) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(damaged_dir):
    (damaged_dir / f"{TRAIN_IMAGES}.gz").unlink()
    with pytest.raises(InputError, match=f"lacks {TRAIN_IMAGES}"):
        glyphs.find_mnist_files(damaged_dir)


def test_no_files_is_no_error(tmp_path):
    assert glyphs.find_mnist_files(tmp_path / "nowhere") is None


def test_no_network_is_noticed(tmp_path, monkeypatch):
    # A proxy at a port where nobody listens.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert "refused" in glyphs.why_not_downloadable(tmp_path / "nowhere")


def test_earlier_downloads_need_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    (tmp_path / "seqdigits").mkdir()
    for name in glyphs.MNIST_URLS:
        (tmp_path / "seqdigits" / f"cvdf-datasets_mnist_{name}xyz.gz").touch()
    assert glyphs.why_not_downloadable(tmp_path) is None
