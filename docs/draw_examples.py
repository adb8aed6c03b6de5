"""Draws docs/examples.png, the picture of the data in the README."""

import pathlib

import tensorflow_datasets as tfds
from matplotlib.figure import Figure

import seqdigits_tfds

_ROWS, _COLUMNS = 2, 6


def main() -> None:
    """Draws the first training examples of `seqdigits/mnist`."""
    split = f"train[:{_ROWS * _COLUMNS}]"
    examples = tfds.as_numpy(tfds.load("seqdigits/mnist", split=split))
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, example in zip(
        figure.subplots(_ROWS, _COLUMNS).flat, examples, strict=True
    ):
        axes.imshow(example["image"][:, :, 0], cmap="gray")
        title = " ".join(
            "·" if label == seqdigits_tfds.BLANK else str(label)
            for label in example["label"]
        )
        axes.set_title(title, fontsize=14)
        axes.axis("off")
    figure.savefig(pathlib.Path(__file__).with_name("examples.png"), dpi=80)


if __name__ == "__main__":
    main()
