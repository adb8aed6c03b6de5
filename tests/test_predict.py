"""`python -m trainer.predict` on good pictures and on bad ones."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from trainer.conversion import convert
from trainer.models import Shape
from trainer.reader import find_pictures, open_picture

import pictures
from conftest import ROOT, run_python
from seqdigits_tfds import InputError

BAD_FILES = pictures.make_bad_files()


def predict(*arguments, **kwargs):
    return run_python("-m", "trainer.predict", *arguments, **kwargs)


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_told(name, tmp_path):
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        convert(open_picture(str(tmp_path / name)), Shape((64, 64, 1), 5, 11))
    assert "\n" not in str(raised.value)


def test_what_never_ends_is_told():
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


def test_foreign_pictures_are_read(first_run, tmp_path):
    done = run_python(
        ROOT / "tests" / "read_pictures.py",
        *(first_run / "my_run" / "model.keras", tmp_path),
        PYTHONPATH=str(ROOT),
    )
    typed = re.search(r"^typed: (\d+) of 40$", done.stdout, re.M)
    handwritten = re.search(r"^handwritten: (\d+) of 10$", done.stdout, re.M)
    # After one epoch of optdigits, whose digits the handwritten ones are.
    assert int(typed[1]) > 15
    assert int(handwritten[1]) > 5


def test_bad_pictures_do_not_disturb_good_ones(first_run, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, (content, _) in BAD_FILES.items():
        (folder / name).write_bytes(content)
    pictures.draw("7").save(folder / "good.png")
    pictures.photograph(pictures.draw("12")).save(
        folder / "jpeg_named.png", "JPEG"
    )
    (tmp_path / "nothing_in_it").mkdir()
    done = predict(
        f"--workdir={first_run / 'my_run'}",
        f"--show={tmp_path / 'shown'}",
        *(folder, tmp_path / "nothing_in_it", tmp_path / "missing.png"),
        check=False,
    )
    assert done.returncode == 1
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["digits", "confidence", "picture"]
    assert [line.split("/")[-1] for line in lines] == [
        "good.png",
        "jpeg_named.png",
    ]
    # The animated GIF is not looked for in folders.
    errors = done.stderr.splitlines()
    assert len(errors) == len(BAD_FILES) - 1 + 2
    assert all(line.startswith("error: ") for line in errors)
    shown = sorted((tmp_path / "shown").iterdir())
    assert len(shown) == 2
    assert Image.open(shown[0]).size == (64, 64)


def test_programs_get_json(first_run, tmp_path):
    pictures.draw("7").save(tmp_path / "seven.png")
    by_model = [
        json.loads(
            predict(
                f"--model={first_run / 'my_run' / model}",
                *("--json", tmp_path / "seven.png"),
            ).stdout
        )
        for model in ("model.keras", "export")
    ]
    for answer in by_model:
        assert answer["image"] == str(tmp_path / "seven.png")
        assert answer["error"] is None
        assert answer["digits"] == by_model[0]["digits"]
        assert 0 < answer["confidence"] <= 1
    assert np.isclose(*(answer["confidence"] for answer in by_model))


def test_standard_input_is_read(first_run):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "trainer.predict", "--json", "-"),
            f"--workdir={first_run / 'my_run'}",
        ],
        input=pictures.encode(pictures.draw("31"), "PNG"),
        capture_output=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert json.loads(done.stdout)["image"] == "-"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workdir=/nowhere", "a.png"], "found none in /nowhere/model.keras"),
        ([f"--model={ROOT}", "a.png"], "found none in"),
        (["--workdir=a", "--model=b", "a.png"], "either --workdir or --model"),
        (["--workdir=a"], "no picture is named"),
    ],
)
def test_bad_settings_are_one_line(arguments, message):
    done = predict(*arguments, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert message in done.stderr
