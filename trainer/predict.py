"""Reads digits from pictures, with a trained model.

`python -m trainer.predict --workdir=... IMAGE...`: files, folders of PNG and
JPEG files, or "-" for standard input.
"""

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags

from seqdigits_tfds import InputError
from trainer.startup import quiet_tensorflow

with quiet_tensorflow():
    from trainer.reader import find_pictures, load_model, predict

_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory of the trainer.")
_MODEL = flags.DEFINE_string(
    "model", None, "A model.keras or an export, instead of a run directory."
)
_JSON = flags.DEFINE_bool("json", False, "Print a JSON object a line.")
_SHOW = flags.DEFINE_string(
    "show", None, "Folder in which to save what the model saw, as PNGs."
)


def main(argv: Sequence[str]) -> None:
    """Reads the pictures that are named."""
    names = argv[1:]
    if not names:
        raise app.UsageError("no picture is named")
    if bool(_WORKDIR.value) == bool(_MODEL.value):
        raise app.UsageError("name either --workdir or --model")
    model = _MODEL.value or os.path.join(_WORKDIR.value or "", "model.keras")
    read, shape = load_model(pathlib.Path(model).expanduser())
    show = pathlib.Path(_SHOW.value).expanduser() if _SHOW.value else None
    if show is not None:
        try:
            show.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"show must be a folder that can be written to, got"
                f" {str(show)!r} ({error.strerror})"
            ) from error
    num_failed = 0
    if not _JSON.value:
        print(f"{'digits':<{shape.num_positions + 2}}{'confidence':<12}picture")
    for found in predict(find_pictures(names), read, shape, show):
        # A name with line breaks stays on one line.
        name = found.image if found.image.isprintable() else repr(found.image)
        num_failed += found.error is not None
        if _JSON.value:
            print(json.dumps(dataclasses.asdict(found)), flush=True)
        elif found.error is not None:
            print(f"error: {name}: {found.error}", file=sys.stderr)
        else:
            digits = found.digits or "(none)"
            print(
                f"{digits:<{shape.num_positions + 2}}{found.confidence:<12.4f}"
                f"{name}",
                flush=True,
            )
    sys.exit(1 if num_failed else 0)


if __name__ == "__main__":
    app.run(main)
