"""Measures how well a model reads pictures from outside the dataset.

The arguments are a model and a folder to which the pictures are written.
"""

import collections
import pathlib
import sys

import pictures
from seqdigits_tfds.terminal import quiet_tensorflow


def read(model, folder):
    """Returns the kind, text and name of each picture, and what was read."""
    from trainer.predict.reader import Reader, read_pictures

    folder.mkdir(parents=True, exist_ok=True)
    actual = {}
    for kind, text, name, content in (
        *pictures.make_pictures(),
        *pictures.make_pictures_from_life(),
    ):
        (folder / name).write_bytes(content)
        actual[str(folder / name)] = (kind, text)
    found = collections.defaultdict(list)
    for reading in read_pictures(actual, Reader.load(model), show=None):
        found[reading.image].append(
            reading.digits if reading.error is None else reading.error
        )
    return [
        (kind, text, name, "\n".join(found[name]))
        for name, (kind, text) in actual.items()
    ]


def count(model, folder):
    """Returns the number of correct pictures and of all pictures, by kind."""
    right, total = collections.Counter(), collections.Counter()
    for kind, text, name, found in read(model, folder):
        total[kind] += 1
        right[kind] += found == text
        if found != text:
            print(f"{name}: {found!r} instead of {text!r}")
    return right, total


if __name__ == "__main__":
    with quiet_tensorflow():
        right, total = count(*map(pathlib.Path, sys.argv[1:]))
    for kind in total:
        print(f"{kind}: {right[kind]} of {total[kind]}")
