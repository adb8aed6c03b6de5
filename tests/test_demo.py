"""The page to write digits on."""

import http.client
import io
import json
import re
import socket

import numpy as np
import psutil
import pytest
from PIL import Image, ImageDraw

import gestures
import handwriting
import trainers
from helpers import list_requests
from trainer.demo.server import MAX_BYTES, make_app
from trainer.predict.reader import Reader


@pytest.fixture(scope="module")
def reader(first_run):
    return Reader.load(first_run / "my_run" / "model.keras")


@pytest.fixture
def client(reader):
    return make_app(reader, "my_run").test_client()


def to_png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, format="PNG")
    return file.getvalue()


def draw(digits, seed):
    """Draws digits with a broad pen on white paper."""
    rng = np.random.default_rng(seed)
    picture = Image.new("L", (1000, 400), 255)
    for stroke in handwriting.write(digits, rng, *picture.size):
        line = [tuple(point) for point in stroke]
        ImageDraw.Draw(picture).line(line, 0, 28, joint="curve")
    return np.asarray(picture)


def test_a_picture_is_read(client, reader):
    response = client.post("/read", data=to_png(draw([1, 0, 2], 0)))
    assert response.status_code == 200
    found = response.get_json()
    assert found["digits"] == "102"
    probabilities = np.array(found["probabilities"])
    assert probabilities.shape == (3, 11)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)
    assert 0 < found["confidence"] <= 1
    assert found["seen"].startswith("data:image/png;base64,")


def test_the_page_may_not_ask_anybody_else(client):
    response = client.get("/")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; connect-src 'self'")
    page = response.get_data(as_text=True)
    assert "Write digits, in one line or several" in page
    assert not re.findall(r"https?://", page)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a PNG or JPEG, found something else"),
        (b"GIF89a" + bytes(100), "expected a PNG or JPEG"),
        (to_png(draw([1], 0))[:500], "found a damaged one"),
        (to_png(np.full((99, 99), 255, np.uint8)), "without contrast"),
        (
            to_png(np.zeros((4_000, 4_000), np.uint8)),
            "at most 12,000,000 pixels",
        ),
    ],
)
def test_other_uploads_are_refused(client, content, message):
    response = client.post("/read", data=content)
    assert response.status_code == 400
    assert message in response.get_json()["error"]


def test_large_uploads_are_refused(client):
    response = client.post("/read", data=bytes(MAX_BYTES + 1))
    assert response.status_code == 413
    assert response.get_json()["error"].startswith("expected at most 8 MB")


@pytest.fixture(scope="module")
def server(mnist_data_dir, tmp_path_factory):
    """The demo in a process of its own; its port and its process.

    Its model has trained for a minute on MNIST, whose digits are more like
    those that people write on a page than the embedded ones.
    """
    folder = tmp_path_factory.mktemp("demo")
    trainer = trainers.start(
        folder / "trainer.log",
        "--dataset=seqdigits/mnist",
        f"--data_dir={mnist_data_dir}",
        "--max_steps=200",
        f"--workdir={folder / 'run'}",
    )
    assert trainer.wait() == 0, trainer.output
    demo = trainers.start(
        folder / "demo.log",
        f"--workdir={folder / 'run'}",
        "--port=0",
        program=("-m", "trainer.demo"),
    )
    demo.wait_until(lambda: "Open http" in demo.output)
    (port,) = re.findall(r"Open http://localhost:(\d+)", demo.output)
    yield int(port), psutil.Process(demo.process.pid)
    demo.process.terminate()
    demo.process.wait()


def post(port, content, headers=None):
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    connection.request("POST", "/read", content, headers or {})
    response = connection.getresponse()
    result = response.status, response.read()
    connection.close()
    return result


@pytest.mark.long
def test_memory_stays_flat(server):
    port, process = server
    pictures = [to_png(draw([n % 10, 7], n)) for n in range(10)]

    def ask(times):
        for n in range(times):
            status, content = post(port, pictures[n % 10])
            assert status == 200
            assert json.loads(content)["digits"]
        return process.memory_info().rss

    before = ask(100)
    assert ask(500) < before + 30e6


def send(connection, chunk, limit):
    """Returns the number of bytes sent until the server hung up."""
    sent = 0
    try:
        while sent < limit:
            connection.sendall(chunk)
            sent += len(chunk)
    except OSError:
        pass
    return sent


@pytest.mark.long
def test_endless_uploads_are_cut_off(server):
    port, process = server
    before = process.memory_info().rss
    with socket.create_connection(("localhost", port), 60) as connection:
        connection.sendall(
            b"POST /read HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        assert send(connection, chunk, 10 * MAX_BYTES) < 10 * MAX_BYTES
    assert process.memory_info().rss < before + 30e6
    assert post(port, to_png(draw([3], 1)))[0] == 200


@pytest.mark.long
@pytest.mark.parametrize("width", [375, 1280])
def test_sequences_written_in_a_browser_are_read(
    server, browser, width, tmp_path
):
    port, _ = server
    browser.get_log("browser")
    browser.get_log("performance")
    is_phone = width < 500
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": width,
            "height": 800,
            "deviceScaleFactor": 1,
            "mobile": is_phone,
        },
    )
    browser.execute_cdp_cmd(
        "Emulation.setTouchEmulationEnabled", {"enabled": is_phone}
    )
    address = f"http://localhost:{port}/"
    browser.get(address)
    assert (
        browser.execute_script("return document.documentElement.scrollWidth")
        <= width
    )
    box = browser.execute_script(
        "const b = document.getElementById('paper').getBoundingClientRect();"
        "return [b.left, b.top, b.width, b.height]"
    )
    write = gestures.touch if is_phone else gestures.move_mouse
    rng = np.random.default_rng(width)
    wanted, found = [], []
    for n in range(20):
        digits = rng.integers(0, 10, 1 + n % 5).tolist()
        wanted.append("".join(map(str, digits)))
        for stroke in handwriting.write(digits, rng, *box[2:]):
            points = [(x + box[0], y + box[1]) for x, y in stroke]
            write(browser, points)
        found.append(wait_for_result(browser))
        if n in (0, 4):
            browser.save_screenshot(str(tmp_path / f"{width}-{n}.png"))
        if n % 2:
            gestures.press(browser, "Escape")
        else:
            gestures.press(browser, "Enter")
        assert read_text(browser, "digits") == ""
    right = sum(a == b for a, b in zip(wanted, found, strict=True))
    assert right >= 17, list(zip(wanted, found, strict=True))
    kept = read_text(browser, "kept").splitlines()
    assert len(kept) == 10
    assert kept[0].startswith(f"{found[18]}, ")
    browser.execute_script(
        "readFile(new File([new Uint8Array(9e6)], 'large.png'))"
    )
    assert "Expected at most 8 MB" in read_text(browser, "digits")
    browser.execute_script("readFile(new File(['no picture'], 'a.png'))")
    assert "expected a PNG or JPEG" in wait_for_result(browser)
    errors = [
        entry
        for entry in browser.get_log("browser")
        # A refused upload is a status of 400, which the browser also logs.
        if "400 (BAD REQUEST)" not in entry["message"]
    ]
    assert errors == []
    outside = [
        url
        for url in list_requests(browser)
        if not url.startswith((address, "data:", "blob:"))
    ]
    assert outside == []


def read_text(browser, name):
    return browser.execute_script(
        "return document.getElementById(arguments[0]).innerText", name
    )


def wait_for_result(browser):
    """Returns the page's answer to everything that has been written."""
    browser.set_script_timeout(60)
    browser.execute_async_script(
        "const done = arguments[0];"
        "(function wait() {"
        "  if (isBusy || waiting || !document.getElementById('digits')"
        "    .textContent) setTimeout(wait, 20); else done();"
        "})()"
    )
    return read_text(browser, "digits")
