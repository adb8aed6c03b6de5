"""Draws a picture of each config: docs/configs/NAME.png.

  python docs/draw_examples.py --manual_dir=path/to/mnist

Each shows the first images of `train` and of the out-of-distribution splits,
with their labels; a dot is a blank. Pixels are enlarged to squares. If there is
a feature `bbox`, each glyph is in its box.
"""

import itertools
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import app, flags
from PIL import Image, ImageDraw, ImageFont

from seqdigits_tfds import Sequences
from seqdigits_tfds.builder_config import SeqDigitsConfig
from seqdigits_tfds.configs import CONFIGS

_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Directory with MNIST's four files."
)
_OUT = flags.DEFINE_string(
    "out", str(pathlib.Path(__file__).with_name("configs")), "Output folder."
)

_WIDTH, _GAP, _MARGIN = 768, 4, 6
"""Width of a row of images, and distances, in pixels."""

_ZOOM = 2
_LABEL_HEIGHT, _HEADING_HEIGHT = 20, 26
_NUM_TRAIN_ROWS = 2
_NUM_COLORS = 48

_BOX_COLORS = ("#ff5050", "#40c0ff", "#ffc020", "#60e060", "#e080ff")


def main(_: Sequence[str]) -> None:
    """Draws all configs."""
    out = pathlib.Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    for config in CONFIGS:
        picture = draw_config(config, _MANUAL_DIR.value)
        picture.quantize(_NUM_COLORS).save(
            out / f"{config.name}.png", optimize=True
        )


def draw_config(config: SeqDigitsConfig, manual_dir: str | None) -> Image.Image:
    """Draws the first examples of the splits that a config is about."""
    train = Sequences(config, "train", manual_dir=manual_dir)
    usual = ("validation", "test")
    sections = [
        draw_section(
            Sequences(config, split, source=train.source),
            num_rows=_NUM_TRAIN_ROWS if split == "train" else 1,
        )
        for split in config.splits
        if split not in usual
    ]
    height = sum(section.height for section in sections)
    picture = Image.new("RGB", (sections[0].width, height + _MARGIN), "white")
    top = 0
    for section in sections:
        picture.paste(section, (0, top))
        top += section.height
    return picture


def draw_section(sequences: Sequences, num_rows: int) -> Image.Image:
    """Draws rows of examples below the name of their split."""
    width = _ZOOM * sequences.config.image_width
    height = _ZOOM * sequences.config.image_height
    num_columns = _WIDTH // width
    row_height = height + _LABEL_HEIGHT
    picture = Image.new(
        "RGB",
        (
            _WIDTH + _GAP * (num_columns - 1) + 2 * _MARGIN,
            _HEADING_HEIGHT + num_rows * row_height,
        ),
        "white",
    )
    draw = ImageDraw.Draw(picture)
    draw.text(
        (_MARGIN, _HEADING_HEIGHT // 2),
        sequences.split,
        "black",
        ImageFont.load_default(size=16),
        anchor="lm",
    )
    for number, (row, column) in enumerate(
        itertools.product(range(num_rows), range(num_columns))
    ):
        example = sequences[number]
        left = _MARGIN + column * (width + _GAP)
        top = _HEADING_HEIGHT + row * row_height
        picture.paste(draw_image(example), (left, top))
        draw.text(
            (left + width // 2, top + height + _LABEL_HEIGHT // 2),
            write_label(example),
            "black",
            ImageFont.load_default(size=15),
            anchor="mm",
        )
    return picture


def draw_image(example: dict[str, np.ndarray]) -> Image.Image:
    """Draws an enlarged image, with its boxes if it has any."""
    pixels = example["image"][..., 0]
    height, width = pixels.shape
    image = Image.fromarray(np.kron(pixels, np.ones((_ZOOM, _ZOOM), np.uint8)))
    image = image.convert("RGB")
    draw = ImageDraw.Draw(image)
    boxes = example.get("bbox", np.zeros((0, 4)))
    edges = np.rint(boxes * np.tile([height, width], 2) * _ZOOM).astype(int)
    for box, color in zip(edges.tolist(), itertools.cycle(_BOX_COLORS)):
        top, left, bottom, right = box
        if bottom > top:
            draw.rectangle((left - 1, top - 1, right, bottom), outline=color)
    return image


def write_label(example: dict[str, np.ndarray]) -> str:
    """Writes the classes, and a dot for each blank."""
    length = int(example["length"])
    num_blanks = len(example["label"]) - length
    return " ".join([*map(str, example["label"][:length]), *"·" * num_blanks])


if __name__ == "__main__":
    app.run(main)
