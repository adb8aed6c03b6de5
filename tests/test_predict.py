"""`python -m trainer.predict` on good and bad pictures."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import pictures
from helpers import ROOT
from read_pictures import read
from seqdigits_tfds import InputError
from trainer.data.sequences import ExampleShape, to_text
from trainer.predict.ink import find_ink
from trainer.predict.pictures import find_pictures, open_picture
from trainer.predict.reader import Reader, read_pictures
from trainer.predict.shapes import find_lines

BLANK = 10
BAD_FILES = pictures.make_bad_files()

# 248 bytes.
LONG_NAME = "good" + 80 * "\N{CJK UNIFIED IDEOGRAPH-597D}" + ".png"


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_rejected(name, tmp_path):
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        find_lines(find_ink(open_picture(str(tmp_path / name))))
    assert "\n" not in str(raised.value)


def test_an_endless_file_is_rejected():
    with pytest.raises(InputError, match="at most 200,000,000 bytes"):
        open_picture("/dev/zero")


def test_pictures_are_found_in_folders(tmp_path):
    for name in ("b.png", "a.JPG", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.png").mkdir()
    found = list(find_pictures([str(tmp_path), "-", "other"]))
    assert found == [
        *(str(tmp_path / "a.JPG"), str(tmp_path / "b.png")),
        *("-", "other"),
    ]


@pytest.fixture(scope="module")
def reader(first_run):
    return Reader.load(first_run / "my_run" / "model.keras")


def test_pictures_from_outside_are_read(first_run, tmp_path):
    """By a model that was trained for one epoch, on optdigits.

    It finds most digits, but does not know them well: four such models read
    between 2 and 7 of the 10 handwritten pictures, without any mistake.
    """
    readings = read(first_run / "my_run/model.keras", tmp_path)
    assert len(readings) == 50 + 48
    # By chance, a tenth of the digits would be right.
    for kind, min_lengths in (("typed", 25), ("handwritten", 9)):
        pairs = [(text, found) for k, text, _, found in readings if k == kind]
        assert sum(len(t) == len(f) for t, f in pairs) >= min_lengths
        digits = [a == b for t, f in pairs for a, b in zip(t, f, strict=False)]
        assert sum(digits) > sum(len(t) for t, _ in pairs) / 3
    refusals = [
        f for k, _, _, f in readings if k == "touching" and "touch" in f
    ]
    assert refusals
    assert all("use a model of a scattered dataset" in f for f in refusals)


def test_boxes_are_around_the_digits(reader, tmp_path):
    """In pixels of the picture, not of the smaller one that is searched."""
    picture = pictures.draw("407", size=300)
    (line,) = reader.read(picture)
    dark = np.asarray(picture.convert("L")) < 128
    (columns,) = np.nonzero(dark.any(axis=0))
    edges = [columns[0], *columns[np.flatnonzero(np.diff(columns) > 1) + 1]]
    assert [box.left for box in line.boxes] == pytest.approx(edges, abs=5)
    (rows,) = np.nonzero(dark.any(axis=1))
    assert min(box.top for box in line.boxes) == pytest.approx(rows[0], abs=5)
    assert max(box.bottom for box in line.boxes) == pytest.approx(
        rows[-1] + 1, abs=5
    )


def test_the_program_reads_good_pictures_among_bad_ones(first_run, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, (content, _) in BAD_FILES.items():
        (folder / name).write_bytes(content)
    pictures.draw("7").save(folder / LONG_NAME)
    pictures.photograph(pictures.draw("12")).save(
        folder / "jpeg_named.png", "JPEG"
    )
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "trainer.predict"),
            f"--workdir={first_run / 'my_run'}",
            f"--show={tmp_path / 'shown'}",
            *(folder, tmp_path / "empty", tmp_path / "missing.png"),
            "-",
        ],
        input=pictures.encode(pictures.draw("31"), "PNG"),
        capture_output=True,
        cwd=ROOT,
    )
    assert done.returncode == 1
    head, *lines = done.stdout.decode().splitlines()
    assert head.split() == ["digits", "confidence", "picture"]
    assert [line.split()[2].split("/")[-1] for line in lines] == [
        *(
            LONG_NAME,
            "jpeg_named.png",
            "-",
        ),
    ]
    # The .gif file in the folder is not read.
    errors = done.stderr.decode().splitlines()
    assert len(errors) == len(BAD_FILES) - 1 + 2
    assert all(line.startswith("error: ") for line in errors)
    shown = sorted((tmp_path / "shown").iterdir())
    assert len(shown) == 3
    # The picture, with red boxes, above the image that the model saw.
    drawn = Image.open(shown[0])
    seven = pictures.draw("7")
    assert drawn.size == (seven.width, seven.height + 64)
    red = np.asarray(drawn)[..., 0] - np.asarray(drawn)[..., 1].astype(int)
    assert (red > 100).sum() > 100


def test_both_formats_of_a_model_agree(first_run, reader, tmp_path):
    pictures.draw("7").save(tmp_path / "seven.png")
    names = [str(tmp_path / "seven.png"), str(tmp_path / "missing.png")]
    exported = Reader.load(first_run / "my_run" / "export")
    assert exported.shape == reader.shape
    by_model = [
        [dataclasses.asdict(r) for r in read_pictures(names, each, None)]
        for each in (reader, exported)
    ]
    json.dumps(by_model)
    for seven, missing in by_model:
        assert seven["image"] == names[0]
        assert seven["error"] is None
        assert seven["digits"] == by_model[0][0]["digits"]
        assert 0 < seven["confidence"] <= 1
        assert (missing["digits"], missing["confidence"]) == ("", 0.0)
        assert "found nothing" in missing["error"]
    assert np.isclose(*(seven["confidence"] for seven, _ in by_model))


def test_a_folder_that_cannot_be_written_is_named(reader, tmp_path):
    pictures.draw("7").save(tmp_path / "seven.png")
    readings = read_pictures(
        [str(tmp_path / "seven.png")], reader, pathlib.Path("/proc/nowhere")
    )
    with pytest.raises(InputError, match="must be a writable folder, got '/pr"):
        next(readings)


def test_blanks_between_digits_are_shown(tmp_path):
    """As in the report, because they are always mistakes."""
    pictures.draw("132").save(tmp_path / "picture.png")
    probabilities = np.full((1, 5, 11), 0.01, np.float32)
    for position, digit in enumerate([1, BLANK, 2, BLANK, BLANK]):
        probabilities[0, position, digit] = 0.9
    shape = ExampleShape((64, 64, 1), 5, 11)
    (reading,) = read_pictures(
        [str(tmp_path / "picture.png")],
        Reader(lambda images: probabilities, shape),
        None,
    )
    assert reading.digits == "1_2"
    assert len(reading.boxes) == 3
    assert reading.confidence == pytest.approx(0.9**5)
    assert to_text(probabilities[0].argmax(axis=-1), 11) == "1_2"
    assert to_text(np.full(5, BLANK), 11) == "(blank)"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/model.keras", "saved by the"),
        ("other.keras", r"must map images .*, got \(None, 3\) to \(None, 2\)"),
        (".", "exported by the"),
    ],
)
def test_a_missing_model_is_reported_in_one_line(tmp_path, path, message):
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(InputError, match=message) as caught:
        Reader.load(tmp_path / path)
    assert "\n" not in str(caught.value)
