"""Draws what was read into pictures."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.predict.shapes import Box

_LARGEST = 1280
"""Longest side of the drawn picture, in pixels."""

_COLOUR = (214, 39, 40)


def draw(
    picture: Image.Image,
    digits: Iterable[tuple[str, Box]],
    seen: Sequence[np.ndarray],
) -> Image.Image:
    """Draws digits and their boxes into a picture.

    Args:
      picture: Any mode and size.
      digits: The text and the place of each digit, in pixels of the upright
        picture.
      seen: What the model saw, uint8 [height, width, 1] each; drawn below the
        picture.

    Returns:
      An RGB picture.
    """
    upright = picture.convert("RGB")
    size = upright.size
    upright.thumbnail((_LARGEST, _LARGEST))
    scale = upright.width / size[0]
    pen = ImageDraw.Draw(upright)
    for text, box in digits:
        box = box.scale(scale)
        pen.rectangle(
            (box.left, box.top, box.right, box.bottom), outline=_COLOUR, width=2
        )
        font = ImageFont.load_default(max(box.height / 3, 12))
        pen.text((box.left, box.top), text, _COLOUR, font, anchor="lb")
    if not seen:
        return upright
    strip = Image.fromarray(np.hstack([image[:, :, 0] for image in seen]))
    drawn = Image.new(
        "RGB",
        (max(upright.width, strip.width), upright.height + strip.height),
        "white",
    )
    drawn.paste(upright, (0, 0))
    drawn.paste(strip, (0, upright.height))
    return drawn
