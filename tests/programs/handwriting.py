"""Digits as strokes of a pen, to be drawn in a browser."""

import math

import numpy as np


def _arc(x, y, width, height, start, stop, steps=14):
    """Points of an ellipse's arc; angles in turns, clockwise from the right."""
    return [
        (
            x + width * math.cos(2 * math.pi * t),
            y + height * math.sin(2 * math.pi * t),
        )
        for t in np.linspace(start, stop, steps)
    ]


STROKES = {
    0: [_arc(0.5, 0.5, 0.32, 0.48, -0.2, 0.82, 24)],
    1: [[(0.3, 0.2), (0.52, 0.02), (0.5, 0.98)]],
    2: [
        [
            *_arc(0.5, 0.28, 0.3, 0.26, 0.5, 1.08),
            (0.2, 0.96),
            (0.5, 0.9),
            (0.82, 0.97),
        ]
    ],
    3: [
        [
            *_arc(0.46, 0.26, 0.28, 0.24, 0.58, 1.2),
            *_arc(0.46, 0.73, 0.32, 0.25, 0.8, 1.42),
        ]
    ],
    4: [
        [(0.32, 0.04), (0.2, 0.55), (0.8, 0.56)],
        [(0.64, 0.25), (0.6, 0.98)],
    ],
    5: [
        [
            (0.34, 0.06),
            (0.3, 0.44),
            *_arc(0.46, 0.68, 0.32, 0.28, 0.68, 1.42),
        ],
        [(0.34, 0.06), (0.78, 0.04)],
    ],
    6: [
        [
            (0.66, 0.03),
            (0.42, 0.28),
            (0.26, 0.6),
            *_arc(0.5, 0.72, 0.26, 0.24, 0.45, -0.55, 20),
        ]
    ],
    7: [[(0.2, 0.06), (0.8, 0.05), (0.58, 0.45), (0.44, 0.98)]],
    8: [
        [
            *_arc(0.5, 0.26, 0.26, 0.23, 0.95, 0.25, 14),
            *_arc(0.5, 0.74, 0.3, 0.24, -0.25, 0.75, 20),
            *_arc(0.5, 0.26, 0.26, 0.23, 0.25, -0.1, 8),
        ]
    ],
    9: [
        [
            *_arc(0.5, 0.28, 0.26, 0.25, 0.05, -0.95, 20),
            (0.74, 0.5),
            (0.66, 0.98),
        ]
    ],
}
"""The strokes of each digit, in a box of 1 x 1; y grows downwards."""


def write(digits, rng, width, height):
    """Writes digits in a row, each a little different.

    Args:
      digits: The digits, at most 5.
      rng: A NumPy random generator.
      width: Width of the paper.
      height: Height of the paper.

    Returns:
      A list of strokes, each a list of points (x, y) on the paper.
    """
    strokes = []
    cell = width / 5
    for place, digit in enumerate(digits):
        size = height * rng.uniform(0.45, 0.6)
        angle, slant = rng.normal(0, 0.08), rng.normal(0.1, 0.08)
        middle = (cell * (place + 0.5), height * rng.uniform(0.45, 0.55))
        for stroke in STROKES[digit]:
            points = np.array(stroke) - 0.5
            points += rng.normal(0, 0.012, points.shape)
            points[:, 0] = 0.75 * (points[:, 0] - slant * points[:, 1])
            turn = [
                [math.cos(angle), math.sin(angle)],
                [-math.sin(angle), math.cos(angle)],
            ]
            strokes.append((size * points @ turn + middle).tolist())
    return strokes
