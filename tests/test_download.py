"""Downloads of MNIST from a web server on this machine."""

import functools
import http.server
import threading

import pytest
import tensorflow_datasets as tfds

import seqdigits_tfds
from seqdigits_tfds import InputError, mnist_files


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture
def serve(monkeypatch):
    """Serves folders in place of MNIST's mirrors; None is unreachable."""
    servers = []

    def serve_one(folder):
        if folder is None:
            return "http://127.0.0.1:9/"  # Nothing listens on this port.
        handler = functools.partial(QuietHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    def start(*folders):
        mirrors = tuple(map(serve_one, folders))
        monkeypatch.setattr(mnist_files, "MIRRORS", mirrors)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def prepare(data_dir):
    builder = seqdigits_tfds.Builder(data_dir=data_dir, config="mnist")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(max_examples_per_split=10)
    )
    return builder


def test_missing_files_are_downloaded(serve, mnist_dir, tmp_path):
    serve(mnist_dir)
    builder = prepare(tmp_path)
    assert builder.info.splits["train"].num_examples == 10
    assert len(list((tmp_path / "downloads").rglob("*ubyte*.gz"))) == 4


def test_mirrors_are_tried_in_turn(serve, mnist_dir, tmp_path):
    """One can't be reached, one has damaged files, one has the files."""
    (tmp_path / "damaged").mkdir()
    for path in mnist_dir.glob("*.gz"):
        (tmp_path / "damaged" / path.name).write_bytes(path.read_bytes()[:999])
    serve(None, tmp_path / "damaged", mnist_dir)
    builder = prepare(tmp_path / "data")
    assert builder.info.splits["train"].num_examples == 10


def test_a_server_without_the_files_is_reported_in_one_line(serve, tmp_path):
    (tmp_path / "empty").mkdir()
    serve(tmp_path / "empty")
    with pytest.raises(
        InputError, match=r"can't be downloaded \(.*404"
    ) as found:
        prepare(tmp_path / "data")
    assert "\n" not in str(found.value)


def test_damaged_downloads_are_rejected(serve, mnist_dir, tmp_path):
    (tmp_path / "damaged").mkdir()
    for path in mnist_dir.glob("*.gz"):
        (tmp_path / "damaged" / path.name).write_bytes(path.read_bytes()[:999])
    serve(tmp_path / "damaged")
    with pytest.raises(InputError, match="can't be read"):
        prepare(tmp_path / "data")
    assert not list((tmp_path / "data").rglob("*.tfrecord*"))


def test_a_wrong_proxy_is_reported_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy:abc")
    monkeypatch.setenv("https_proxy", "http://proxy:abc")
    monkeypatch.delenv("no_proxy", raising=False)
    reason = mnist_files.why_not_downloadable(tmp_path)
    assert "nonnumeric port: 'abc'" in reason
