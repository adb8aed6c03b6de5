"""Clutter and noise: what an image shows besides its glyphs."""

import numpy as np

from seqdigits_tfds.randomness import draw_words, to_integers, to_uniform

CLUTTER_SIZE = 8
"""Height and width of a piece of clutter, in pixels."""

_TRIANGLE_DEVIATION = 2 * np.sqrt((256**2 - 1) / 12 / 2)
"""Standard deviation of the sum of two bytes."""


def add_clutter(
    images: np.ndarray,
    indices: np.ndarray,
    *,
    glyphs: np.ndarray,
    rows: np.ndarray,
    pieces: tuple[int, int],
    seed: int,
    split: str,
) -> None:
    """Adds pieces of random glyphs, in place. The brighter pixel shows.

    Args:
      images: uint8 [n, height, width].
      indices: int64 [n], the examples, which determine all random numbers.
      glyphs: uint8 [g, h, w], all glyphs.
      rows: int64 [p], the glyphs that the pieces are taken from.
      pieces: Smallest and largest number of pieces.
      seed: The dataset's seed.
      split: Name of the split.
    """
    most = pieces[1]
    if most == 0:
        return
    words = draw_words(seed, split, indices, 1 + 5 * most, "clutter")
    counts = to_integers(words[:, 0], *pieces)
    height, width = (min(CLUTTER_SIZE, size) for size in glyphs.shape[1:])
    # The piece comes from the inner half of the glyph, where its ink is.
    limits = [
        (0, len(rows) - 1),
        *(
            (size // 4, max(size // 4, size - size // 4 - CLUTTER_SIZE))
            for size in glyphs.shape[1:]
        ),
        (0, max(0, images.shape[1] - height)),
        (0, max(0, images.shape[2] - width)),
    ]
    places = np.stack(
        [
            to_integers(words[:, 1 + column :: 5], *limit)
            for column, limit in enumerate(limits)
        ],
        axis=-1,
    )
    for image, count, pieces_of_image in zip(
        images, counts.tolist(), places.tolist(), strict=True
    ):
        for row, y, x, top, left in pieces_of_image[:count]:
            target = image[top : top + height, left : left + width]
            piece = glyphs[rows[row], y : y + height, x : x + width]
            piece = piece[: target.shape[0], : target.shape[1]]
            target = target[: piece.shape[0], : piece.shape[1]]
            np.maximum(target, piece, out=target)


def add_noise(
    images: np.ndarray,
    indices: np.ndarray,
    *,
    deviation: tuple[float, float],
    seed: int,
    split: str,
) -> None:
    """Adds independent noise to each pixel, in place, and clips to 0..255.

    Its distribution is a triangle: the sum of two random bytes, minus the mean.

    Args:
      images: uint8 [n, height, width].
      indices: int64 [n], the examples, which determine all random numbers.
      deviation: Smallest and largest standard deviation of an image's noise,
        in grey levels.
      seed: The dataset's seed.
      split: Name of the split.
    """
    if deviation[1] == 0:
        return
    levels = to_uniform(
        draw_words(seed, split, indices, 1, "noise level")[:, 0], *deviation
    )
    # In 1/65,536 grey levels; below 2**31 up to a deviation of 64.
    factors = np.rint(levels / _TRIANGLE_DEVIATION * 2**16).astype(np.int32)
    size = images[0].size
    for image, factor, index in zip(images, factors, indices, strict=True):
        words = draw_words(seed, split, index[None], -(-size // 4), "noise")
        pairs = words.astype("<u8").view(np.uint8)[0, : 2 * size]
        sums = pairs[::2].astype(np.int32) + pairs[1::2] - 255
        noisy = image + (sums.reshape(image.shape) * factor + (1 << 15) >> 16)
        np.clip(noisy, 0, 255, out=noisy)
        image[:] = noisy
