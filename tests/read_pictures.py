"""Reads pictures that the dataset's code has no part in: how well a model does.

The arguments are a model and a folder, in which the pictures are left.
"""

import collections
import pathlib
import sys

from trainer.startup import quiet_tensorflow

import pictures

with quiet_tensorflow():
    from trainer.reader import load_model, predict

model, folder = map(pathlib.Path, sys.argv[1:])
folder.mkdir(parents=True, exist_ok=True)
actual = {}
for kind, text, name, content in pictures.make_pictures():
    (folder / name).write_bytes(content)
    actual[str(folder / name)] = (kind, text)
right, total = collections.Counter(), collections.Counter()
for found in predict(actual, *load_model(model), show=None):
    kind, text = actual[found.image]
    total[kind] += 1
    right[kind] += found.digits == text
    if found.digits != text:
        print(f"{found.image}: {found.digits} {found.error or ''}")
for kind in total:
    print(f"{kind}: {right[kind]} of {total[kind]}")
