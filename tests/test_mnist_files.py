import gzip
import shutil

import pytest

from seqdigits_tfds import InputError, mnist_files

TRAIN_IMAGES = "train-images-idx3-ubyte"
NAMES = (
    TRAIN_IMAGES,
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture
def damaged_dir(mnist_dir, tmp_path):
    for path in mnist_dir.glob("*-ubyte.gz"):
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path


def truncate(path):
    path.write_bytes(path.read_bytes()[:5_000_000])


def truncate_content(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1], 1))


def make_empty(path):
    path.write_bytes(b"")


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def change_a_pixel(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[10_000] ^= 1
    path.write_bytes(gzip.compress(content, 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "can't be read .*end-of-stream"),
        (truncate_content, "expected SHA-256 ba891046.* of 47,040,015 bytes"),
        (make_empty, "found .* of 0 bytes"),
        (replace_by_folder, "can't be read"),
        (change_a_pixel, "is not MNIST's train-images-idx3-ubyte: expected"),
    ],
)
def test_damaged_files_are_rejected(damaged_dir, damage, message):
    damage(damaged_dir / f"{TRAIN_IMAGES}.gz")
    with pytest.raises(InputError, match=message) as caught:
        mnist_files.read_arrays(mnist_files.find_files(damaged_dir))
    assert str(damaged_dir / TRAIN_IMAGES) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_reported(damaged_dir):
    (damaged_dir / f"{TRAIN_IMAGES}.gz").unlink()
    with pytest.raises(InputError, match=f"lacks {TRAIN_IMAGES}"):
        mnist_files.find_files(damaged_dir)


def test_finding_no_files_is_not_an_error(tmp_path):
    assert mnist_files.find_files(tmp_path / "nowhere") is None


def test_a_missing_network_is_detected(tmp_path, monkeypatch):
    # An unknown host, then a port on which nothing listens: the environment is
    # read each time.
    for proxy in ("http://nowhere.invalid:9", "http://127.0.0.1:9"):
        monkeypatch.setenv("https_proxy", proxy)
        reason = mnist_files.why_not_downloadable(tmp_path / "nowhere")
        assert ("refused" in reason) == ("127.0.0.1" in proxy)


def test_earlier_downloads_need_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    (tmp_path / "seqdigits").mkdir()
    for name in NAMES:
        (tmp_path / "seqdigits" / f"cvdf-datasets_mnist_{name}xyz.gz").touch()
    assert mnist_files.why_not_downloadable(tmp_path) is None
