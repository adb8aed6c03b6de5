"""Measures how well a model reads pictures from outside the dataset.

The arguments are a model and a folder to which the pictures are written.
"""

import collections
import pathlib
import sys

import pictures
from seqdigits_tfds.terminal import quiet_tensorflow


def read(model, folder):
    """Returns the kind, the text, and the model's reading of each picture."""
    from trainer.predict.reader import Reader, read_pictures

    folder.mkdir(parents=True, exist_ok=True)
    actual = {}
    for kind, text, name, content in pictures.make_pictures():
        (folder / name).write_bytes(content)
        actual[str(folder / name)] = (kind, text)
    readings = read_pictures(actual, Reader.load(model), show=None)
    return [(*actual[found.image], found) for found in readings]


def count(model, folder):
    """Returns the number of correct pictures and of all pictures, by kind."""
    right, total = collections.Counter(), collections.Counter()
    for kind, text, found in read(model, folder):
        total[kind] += 1
        right[kind] += found.digits == text
        if found.digits != text:
            print(f"{found.image}: {found.digits} {found.error or ''}")
    return right, total


if __name__ == "__main__":
    with quiet_tensorflow():
        right, total = count(*map(pathlib.Path, sys.argv[1:]))
    for kind in total:
        print(f"{kind}: {right[kind]} of {total[kind]}")
