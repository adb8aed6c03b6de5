"""Reads digits in pictures, with a trained model.

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

from seqdigits_tfds.terminal import quiet_tensorflow

with quiet_tensorflow():
    from trainer.predict.pictures import find_pictures
    from trainer.predict.reader import Reader, read_pictures

_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory of the trainer.")
_MODEL = flags.DEFINE_string(
    "model", None, "A model.keras or export/, instead of a run directory."
)
_JSON = flags.DEFINE_bool("json", False, "Print one JSON object per line.")
_SHOW = flags.DEFINE_string(
    "show", None, "Folder to save the pictures with what was read, as PNGs."
)


def main(argv: Sequence[str]) -> None:
    """Reads the pictures that the arguments name."""
    names = argv[1:]
    if not names:
        raise app.UsageError("expected the name of at least one picture")
    if bool(_WORKDIR.value) == bool(_MODEL.value):
        raise app.UsageError("use either --workdir or --model")
    model = _MODEL.value or os.path.join(_WORKDIR.value or "", "model.keras")
    reader = Reader.load(pathlib.Path(model).expanduser())
    show = pathlib.Path(_SHOW.value).expanduser() if _SHOW.value else None
    num_failed = 0
    width = reader.shape.num_positions + 4
    if not _JSON.value:
        print(f"{'digits':<{width}}{'confidence':<12}picture")
    for reading in read_pictures(find_pictures(names), reader, show):
        # Each result must stay on one line, even if the name has line breaks.
        name = (
            reading.image
            if reading.image.isprintable()
            else repr(reading.image)
        )
        num_failed += reading.error is not None
        if _JSON.value:
            boxes = [dataclasses.astuple(box) for box in reading.boxes]
            fields = dataclasses.asdict(reading) | {"boxes": boxes}
            print(json.dumps(fields), flush=True)
        elif reading.error is not None:
            print(f"error: {name}: {reading.error}", file=sys.stderr)
        else:
            digits = reading.digits or "(blank)"
            print(
                f"{digits:<{width}}{reading.confidence:<12.4f}{name}",
                flush=True,
            )
    sys.exit(1 if num_failed else 0)


if __name__ == "__main__":
    app.run(main)
