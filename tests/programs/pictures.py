"""Makes pictures of digits without the dataset's code, and bad files."""

import io
import pathlib
import struct
import zlib

import matplotlib
import numpy as np
import sklearn.datasets
from PIL import Image, ImageDraw, ImageFont, ImageOps

_FONTS = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def draw(
    text,
    *,
    font="DejaVuSans.ttf",
    size=80,
    ink=(20, 20, 20),
    paper=(250, 250, 250),
):
    """Draws text in the middle of a picture."""
    width, height = int(size * (0.8 * len(text) + 1)), int(1.8 * size)
    picture = Image.new("RGB", (width, height), paper)
    ImageDraw.Draw(picture).text(
        (width / 2, height / 2),
        text,
        fill=ink,
        font=ImageFont.truetype(_FONTS / font, size),
        anchor="mm",
    )
    return picture


def photograph(picture):
    """Makes a picture look like a photograph: lit from one side, and noisy."""
    pixels = np.asarray(picture, np.float64)
    light = np.linspace(0.6, 1, pixels.shape[1])[None, :, None]
    noise = np.random.default_rng(0).normal(0, 5, pixels.shape)
    return Image.fromarray((pixels * light + noise).clip(0, 255).astype("u1"))


def write(digits):
    """Draws handwritten digits, float [n, 8, 8], 0 to 16, as ink on paper."""
    row = np.hstack([np.pad(digit, ((2, 2), (1, 1))) for digit in digits])
    ink = Image.fromarray((row * 255 / 16).astype("u1"))
    ink = ink.resize((ink.width * 12, ink.height * 12), Image.BICUBIC)
    return photograph(ImageOps.invert(ink).convert("RGB"))


def make_pictures():
    """Yields 50 pictures: their kind, digits, file name, and content."""
    fonts = [
        *("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf"),
        *("DejaVuSansMono.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
        *("cmr10.ttf", "cmss10.ttf", "cmtt10.ttf", "cmb10.ttf"),
    ]
    colours = [
        {},
        {"ink": (240, 230, 120), "paper": (20, 30, 90)},
        {"ink": (40, 60, 160), "paper": (240, 240, 220)},
        {"ink": (255, 255, 255), "paper": (0, 0, 0)},
        {"ink": (90, 20, 20), "paper": (200, 190, 180)},
        {"ink": (10, 60, 10), "paper": (180, 220, 180)},
    ]
    random = np.random.default_rng(1)
    for number in range(40):
        text = "".join(map(str, random.integers(0, 10, 1 + number % 5)))
        colour = colours[number % len(colours)]
        picture = draw(
            text,
            font=fonts[number % len(fonts)],
            size=int(random.integers(24, 160)),
            **colour,
        ).rotate(
            random.uniform(-4, 4),
            fillcolor=colour.get("paper", (250, 250, 250)),
            resample=Image.BICUBIC,
        )
        if number % 3 == 1:
            picture = photograph(picture)
        if number % 4 == 2:
            picture = ImageOps.grayscale(picture)
        form = ("PNG", "JPEG")[number % 2]
        name = f"{number:02}.{form.lower()}"
        yield "typed", text, name, encode(picture, form)
    scans = sklearn.datasets.load_digits()
    for number in range(40, 50):
        rows = random.integers(0, len(scans.images), 1 + number % 5)
        text = "".join(map(str, scans.target[rows]))
        picture = write(scans.images[rows])
        yield "handwritten", text, f"{number}.jpg", encode(picture, "JPEG")


def encode(picture, image_format, **options):
    """Encodes a picture as the content of a file."""
    file = io.BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


def make_bomb():
    """Returns a small PNG file with 3,600 megapixels."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
        + chunk(b"IEND", b"")
    )


def make_bad_files():
    """Returns bad files by name: the content, and part of the error message."""
    seven = draw("7")
    png = encode(seven, "PNG")
    frames = [draw(text, size=20) for text in "34"]
    noise = np.random.default_rng(0).integers(0, 256, (90, 300), dtype="u1")
    damaged = bytearray(png)
    damaged[len(png) // 2] ^= 255
    return {
        "empty.png": (b"", "something else"),
        "text.png": (b"7", "something else"),
        "header_only.png": (png[:8], "something else"),
        "truncated.png": (png[: len(png) // 2], "damaged"),
        "truncated.jpg": (encode(seven, "JPEG")[:-900], "damaged"),
        "flipped_byte.png": (bytes(damaged), "damaged"),
        "bomb.png": (make_bomb(), "50,000,000 pixels"),
        "large.png": (
            encode(Image.new("1", (10_000, 6_000)), "PNG"),
            "50,000,000 pixels",
        ),
        "animated.png": (
            encode(frames[0], "PNG", save_all=True, append_images=frames[1:]),
            "animated",
        ),
        "animated.gif": (
            encode(frames[0], "GIF", save_all=True, append_images=frames[1:]),
            "something else",
        ),
        "tiff_named.png": (encode(seven, "TIFF"), "something else"),
        "white.png": (
            encode(Image.new("L", (200, 90), 255), "PNG"),
            "without contrast",
        ),
        "one_pixel.png": (
            encode(Image.new("L", (1, 1)), "PNG"),
            "without contrast",
        ),
        "noise.png": (encode(Image.fromarray(noise), "PNG"), "fills"),
        "six_digits.png": (encode(draw("123456"), "PNG"), "6 separate"),
        "line\nbreak.png": (b"", "something else"),
    }
