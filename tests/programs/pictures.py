"""Makes pictures of digits without the dataset's code, and bad files."""

import io
import pathlib
import struct
import zlib

import matplotlib
import numpy as np
import sklearn.datasets
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

import handwriting

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


def write(digits, gap=2):
    """Draws handwritten digits as ink on paper.

    Args:
      digits: Float [n, 8, 8], 0 to 16.
      gap: Number of columns between two of them; below 0 they overlap.
    """
    row = np.zeros((12, 8 * len(digits) + gap * (len(digits) - 1) + 2))
    for place, digit in enumerate(digits):
        left = 1 + place * (8 + gap)
        part = row[2:10, left : left + 8]
        np.maximum(part, digit, out=part)
    ink = Image.fromarray((row * 255 / 16).astype("u1"))
    ink = ink.resize((ink.width * 12, ink.height * 12), Image.BICUBIC)
    return photograph(ImageOps.invert(ink).convert("RGB"))


def write_with_pen(lines, random, spacing=0.45, paper=None):
    """Draws lines of digits as with a pen.

    Args:
      lines: The digits of each line, as text.
      random: A NumPy random generator.
      spacing: From digit to digit, relative to the height of a line, of which
        a digit takes about half; below 0.25 digits touch.
      paper: RGB picture to write on; None for a plain one.
    """
    height = 180
    if paper is None:
        paper = Image.new(
            "RGB", get_paper_size(lines, spacing), (246, 243, 235)
        )
    pen = ImageDraw.Draw(paper)
    ink = tuple(int(c) for c in random.integers(10, 70, 3))
    for number, line in enumerate(lines):
        left = random.uniform(50, 90)
        strokes = handwriting.write(
            list(map(int, line)), random, 5 * spacing * height, height
        )
        for stroke in strokes:
            points = [(x + left, y + number * height + 20) for x, y in stroke]
            pen.line(points, ink, int(random.integers(8, 13)), joint="curve")
    return paper.filter(ImageFilter.GaussianBlur(0.8))


def get_paper_size(lines, spacing=0.45):
    """Returns the width and height of paper for `write_with_pen`."""
    longest = max(map(len, lines))
    return int(180 * spacing * (longest + 0.5)) + 160, 180 * len(lines) + 40


def rule(size, is_squared, random):
    """Makes ruled or squared paper, a little turned."""
    paper = Image.new("RGB", (2 * size[0], 2 * size[1]), (250, 250, 245))
    pen = ImageDraw.Draw(paper)
    spacing = 45 if is_squared else 90
    colour = tuple(int(c) for c in random.integers(70, 190, 3))
    for y in range(int(random.integers(spacing)), paper.height, spacing):
        pen.line([(0, y), (paper.width, y)], colour, 2)
    for x in range(0, paper.width, spacing) if is_squared else ():
        pen.line([(x, 0), (x, paper.height)], colour, 2)
    paper = paper.rotate(random.uniform(-1.5, 1.5), Image.BICUBIC)
    left, top = size[0] // 2, size[1] // 2
    return paper.crop((left, top, left + size[0], top + size[1]))


def shade(picture, random):
    """Lets a shadow with a hard border fall on a picture."""
    pixels = np.asarray(picture, np.float64)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    middle = random.uniform(0.3, 0.7) * pixels.shape[1]
    is_dark = x + random.uniform(-0.8, 0.8) * (y - pixels.shape[0] / 2) > middle
    light = np.where(is_dark, random.uniform(0.45, 0.6), 1)
    light = Image.fromarray((255 * light).astype("u1"))
    light = np.asarray(light.filter(ImageFilter.BoxBlur(4)))[..., None] / 255
    return photograph(Image.fromarray((pixels * light).astype("u1")))


def make_pictures_from_life():
    """Yields 48 pictures: their kind, text, file name, and content.

    Lines of text are separated by line breaks.
    """
    scans = sklearn.datasets.load_digits()
    random = np.random.default_rng(2)

    def draw_text(length):
        return "".join(map(str, random.integers(0, 10, length)))

    for number in range(48):
        kind = ("touching", "two lines", "ruled", "shadow")[number % 4]
        turn = number // 4
        lines = [draw_text(2 + turn % 4)]
        if kind == "touching" and turn % 2:
            rows = random.integers(0, len(scans.images), len(lines[0]))
            lines = ["".join(map(str, scans.target[rows]))]
            picture = write(scans.images[rows], gap=-2)
        elif kind == "touching":
            picture = write_with_pen(lines, random, spacing=0.27)
        elif kind == "two lines":
            lines = [draw_text(1 + turn % 5), draw_text(1 + (turn + 2) % 5)]
            picture = write_with_pen(lines, random)
        elif kind == "ruled":
            paper = rule(get_paper_size(lines), turn % 2, random)
            picture = write_with_pen(lines, random, paper=paper)
        else:
            picture = shade(write_with_pen(lines, random), random)
        name = f"{kind.replace(' ', '_')}_{turn:02}.jpg"
        yield kind, "\n".join(lines), name, encode(picture, "JPEG")


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
    dots = np.full((320, 320), 255, "u1")
    dots[8::16, 8::16] = dots[9::16, 8::16] = 0
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
        "dots.png": (
            encode(Image.fromarray(dots), "PNG"),
            "400 separate shapes",
        ),
        "line\nbreak.png": (b"", "something else"),
    }
