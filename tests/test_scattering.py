import numpy as np
import pytest

from redraw import find_box, redraw
from seqdigits_tfds import InputError, SeqDigitsConfig, Sequences

WIDE = {
    "name": "wide",
    "source": "optdigits",
    "layout": "scattered",
    "image_width": 160,
    "masks": True,
}
PLAIN = {
    **WIDE,
    "scale": [1, 1],
    "rotation": [0, 0],
    "shift": [0, 0],
    "brightness": [1, 1],
}


def make(indices=None, **fields):
    """Returns sequences, and their examples (the first 200 by default)."""
    sequences = Sequences(SeqDigitsConfig(**{**WIDE, **fields}), "train")
    indices = np.arange(200) if indices is None else indices
    return sequences, sequences.make_examples(indices)


def get_glyphs(sequences):
    return sequences.source.images


def walk(examples):
    """Yields the example and the position of each glyph."""
    for example, length in enumerate(examples["length"]):
        for position in range(length):
            yield example, position


def test_boxes_and_masks_enclose_exactly_the_ink():
    sequences, examples = make(
        rotation=[-180, 180], scale=[0.3, 2], brightness=[1, 1], gap=[-5, 10]
    )
    glyphs = get_glyphs(sequences)
    shown = np.zeros_like(examples["image"][..., 0], np.float64)
    for example, position in walk(examples):
        ink = redraw(
            glyphs[examples["glyph_id"][example, position]],
            examples["transform"][example, position],
            (64, 160),
        )
        assert (examples["mask"][example, position] == (ink > 0)).all()
        box = examples["bbox"][example, position]
        assert (box == find_box(ink)).all()
        shown[example] = np.maximum(shown[example], ink)
    assert (shown == examples["image"][..., 0]).all()


def test_an_example_does_not_depend_on_those_made_with_it():
    _, together = make(np.arange(300), scale=[0.5, 2], clutter=[0, 3])
    for indices in (np.array([7]), np.arange(299, 100, -3)):
        _, some = make(indices, scale=[0.5, 2], clutter=[0, 3])
        for name, values in some.items():
            assert (values == together[name][indices]).all()


@pytest.mark.parametrize("gap", [-4, 0, 5])
def test_gaps_are_measured_where_neighbours_are_nearest(gap):
    """In the row of pixels where they are nearest, that many are empty."""
    _, examples = make(**{**PLAIN, "shift": [-3, 3], "gap": [gap, gap]})
    found = []
    for example, position in walk(examples):
        if position:
            left, right = examples["mask"][example, position - 1 : position + 1]
            rows = left.any(axis=1) & right.any(axis=1)
            first = right[rows].argmax(axis=1)
            last = 159 - left[rows, ::-1].argmax(axis=1)
            found.append((first - last - 1).min())
    # A glyph begins no earlier than the middle of the one before it.
    assert min(found) == gap
    assert np.mean(np.array(found) == gap) > 0.95


def test_unmoved_glyphs_are_copies():
    """If their ink has odd sizes; otherwise its middle is between pixels."""
    sequences, _ = make()
    images = sequences.source.images
    ink = np.random.default_rng(0).integers(1, 256, (len(images) - 1, 9, 7))
    images[:-1] = 0
    images[:-1, 5:14, 8:15] = ink
    plain = Sequences(
        SeqDigitsConfig(**PLAIN), "train", source=sequences.source
    )
    examples = plain.make_examples(np.arange(100))
    for example, position in walk(examples):
        top, left, bottom, right = np.rint(
            examples["bbox"][example, position] * [64, 160, 64, 160]
        ).astype(int)
        found = examples["image"][example, top:bottom, left:right, 0]
        assert (found == ink[examples["glyph_id"][example, position]]).all()


def test_transforms_have_the_scales_and_angles_of_the_config():
    _, examples = make(scale=[0.5, 1.5], rotation=[-30, 60], image_width=400)
    used = np.arange(5) < examples["length"][:, None]
    a, b = np.moveaxis(examples["transform"][used][:, 0, :2], -1, 0)
    scales = 1 / np.hypot(a, b)
    angles = np.rad2deg(np.arctan2(-b, a))
    assert 0.49 < scales.min() < 0.55
    assert 1.45 < scales.max() < 1.51
    assert -30.5 < angles.min() < -25
    assert 55 < angles.max() < 60.5
    assert not examples["transform"][~used].any()
    assert not examples["bbox"][~used].any()


def test_glyphs_are_turned_counter_clockwise():
    _, upright = make(**PLAIN)
    _, turned = make(**{**PLAIN, "rotation": [90, 90]})
    # The height of what was upright is the width of what is turned.
    upright_box, turned_box = upright["bbox"][:, 0], turned["bbox"][:, 0]
    upright_height = (upright_box[:, 2] - upright_box[:, 0]) * 64
    turned_width = (turned_box[:, 3] - turned_box[:, 1]) * 160
    difference = upright_height - turned_width
    assert abs(difference).max() < 2.5
    # What was on the right is at the top.
    mask = upright["mask"][0, 0]
    _, columns = np.nonzero(mask)
    turned_rows, _ = np.nonzero(turned["mask"][0, 0])
    skew = columns.mean() - (columns.min() + columns.max()) / 2
    turned_skew = (
        turned_rows.mean() - (turned_rows.min() + turned_rows.max()) / 2
    )
    assert abs(skew + turned_skew) < 0.6


def test_shifts_are_downwards_from_the_middle():
    for shift in (-12, 0, 12):
        _, examples = make(**{**PLAIN, "shift": [shift, shift]})
        box = examples["bbox"][:, 0]
        middle = (box[:, 0] + box[:, 2]) * 32 - 32
        assert abs(middle - shift).max() <= 1


def test_brightness_scales_the_ink():
    _, full = make(**PLAIN)
    _, half = make(**{**PLAIN, "brightness": [0.5, 0.5]})
    expected = (full["image"].astype(int) * 128 + 128) >> 8
    assert (half["image"] == expected).all()


def test_sequences_that_are_too_wide_are_made_smaller():
    _, examples = make(scale=[4, 4], image_width=64, gap=[10, 10])
    used = np.arange(5) < examples["length"][:, None]
    boxes = examples["bbox"][used]
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert ((boxes[:, 2:] - boxes[:, :2]) > 0).all()
    # The image is used. Neighbours are closer than their boxes.
    whole = examples["image"][..., 0] > 0
    heights = whole.any(axis=2).sum(axis=1) / 64
    widths = whole.any(axis=1).sum(axis=1) / 64
    assert (np.maximum(heights, widths) > 0.65).mean() > 0.9


def test_glyphs_without_ink_are_allowed():
    sequences, _ = make()
    images = sequences.source.images
    images[::2] = 0
    examples = sequences.make_examples(np.arange(100))
    used = np.arange(5) < examples["length"][:, None]
    is_empty = ~images[examples["glyph_id"]].any(axis=(2, 3)) & used
    assert is_empty.any()
    assert not examples["bbox"][is_empty].any()
    assert not examples["mask"][is_empty].any()


@pytest.mark.parametrize("layout", ["tiled", "scattered"])
def test_clutter_and_noise_only_add_to_the_image(layout):
    fields = {"layout": layout, "masks": layout == "scattered"}
    _, clean = make(**fields)
    _, cluttered = make(**fields, clutter=[1, 4])
    _, noisy = make(**fields, noise=[20, 20])
    for name in set(clean) - {"image"}:
        assert (clean[name] == cluttered[name]).all()
        assert (clean[name] == noisy[name]).all()
    difference = cluttered["image"].astype(int) - clean["image"]
    assert difference.min() >= 0
    assert (difference.any(axis=(1, 2, 3))).mean() > 0.8
    middle = (clean["image"] > 80) & (clean["image"] < 175)
    errors = noisy["image"].astype(int)[middle] - clean["image"][middle]
    assert abs(errors.mean()) < 0.5
    assert abs(errors.std() - 20) < 0.5
    _, other = make(np.arange(200, 400), **fields, noise=[20, 20])
    background = [e["image"][:, :10, :, 0].ravel() for e in (noisy, other)]
    assert np.corrcoef(*background)[0, 1] < 0.5


def test_images_must_have_room_for_the_glyphs():
    with pytest.raises(InputError, match="image_width must be at least 20"):
        make(image_width=19)
