"""Draws scattered glyphs again, from the dataset's features alone.

Shares no code with the package: SciPy interpolates, and one glyph is drawn at a
time, over the whole image.
"""

import numpy as np
from scipy import ndimage


def redraw(glyph, transform, shape):
    """Draws a glyph where its transform puts it, at full brightness.

    Coordinates are cut to 1/256 of a pixel, as the documentation says; products
    of such numbers and bytes are exact in float64.
    """
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    places = np.tensordot(
        transform.astype(np.float64), np.stack([x, y, np.ones(shape)]), axes=1
    )
    places = np.floor(places * 256) / 256
    values = ndimage.map_coordinates(
        np.pad(glyph, 1).astype(np.float64),
        [places[1] + 1, places[0] + 1],
        order=1,
        mode="constant",
        prefilter=False,
    )
    return np.floor(values + 0.5)


def find_box(ink):
    """Returns ymin, xmin, ymax, xmax of the ink, relative to the image."""
    if not ink.any():
        return np.zeros(4, np.float32)
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    height, width = ink.shape
    edges = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
    return (np.array(edges) / [height, width, height, width]).astype(np.float32)
