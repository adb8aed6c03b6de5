"""Writes what a prepared dataset needs to be published, beside its records.

  python -m seqdigits_tfds.publish ~/tensorflow_datasets/seqdigits/mnist/2.0.0

The arguments are folders of prepared datasets. Each gets a `README.md`, a
dataset card of the Hugging Face Hub, and a `croissant.json`, which describes
the dataset and its files for programs (https://docs.mlcommons.org/croissant).
The folder can then be uploaded as it is.
"""

import datetime
import html
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import jinja2
import numpy as np
import tensorflow_datasets as tfds
import yaml
from absl import app, flags

from seqdigits_tfds.builder_config import (
    SCATTERED,
    TILED,
    SeqDigitsConfig,
    SplitSettings,
)
from seqdigits_tfds.configs import restore_config
from seqdigits_tfds.croissant import (
    describe_feature,
    list_features,
    make_croissant,
)
from seqdigits_tfds.errors import InputError
from seqdigits_tfds.reading import (
    list_shards,
    read_info,
    read_records,
    start_program,
)
from seqdigits_tfds.terminal import Progress

CARD, CROISSANT = OUTPUTS = ("README.md", "croissant.json")
"""Names of the files that are written."""

_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
"""Limits of the Hub's size categories, from 10**3 on."""

_LICENSES = {
    "mnist": ("cc-by-sa-3.0", "https://spdx.org/licenses/CC-BY-SA-3.0.html"),
    "optdigits": ("cc-by-4.0", "https://spdx.org/licenses/CC-BY-4.0.html"),
}
"""The Hub's name and the address of each known source's licence."""

_LAYOUTS = {
    TILED: (
        "They stand side by side in cells of equal size, from the left; the row"
        " of cells is resized to the image."
    ),
    SCATTERED: (
        "They have random sizes, angles, heights, distances and brightnesses."
    ),
}

_LIMITS = {
    "mnist": (
        "About 0.15 % of MNIST's labels are wrong. `train` and `validation` may"
        " share writers; those of `test` are others."
    ),
    "optdigits": (
        "All splits share writers, so accuracy on new writers will be lower."
        " The digits are enlarged from 8x8 pixels."
    ),
    SCATTERED: "Glyphs below half of their original size are not antialiased.",
}
"""Known limits by source and layout."""

_TEMPLATE = pathlib.Path(__file__).with_name("card.md.jinja")


def main(argv: Sequence[str]) -> None:
    """Publishes datasets."""
    for folder in start_program(argv):
        write_card(
            folder,
            url=flags.FLAGS.url,
            date_published=flags.FLAGS.date_published,
        )
        print(f"{folder}: wrote {' and '.join(OUTPUTS)}")


def write_card(
    folder: str | os.PathLike,
    *,
    url: str | None = None,
    date_published: str | None = None,
) -> None:
    """Writes `README.md` and `croissant.json`, or replaces them.

    They depend on the other files and the arguments only.

    Args:
      folder: The folder of a prepared dataset of `seqdigits`.
      url: Page on which it is published; None for the dataset's homepage.
      date_published: Date of publication in ISO format; None if unknown.

    Raises:
      InputError: If a file is missing or damaged, or can't be written.
    """
    import tensorflow as tf

    path = tfds.core.Path(folder).expanduser()
    info = read_info(path)
    config = restore_config(info)
    date = _parse_date(date_published) if date_published else None
    try:
        card = _make_card(info, config)
        croissant = make_croissant(
            info,
            [
                file
                for file in sorted(path.iterdir())
                if file.is_file()
                and file.name not in OUTPUTS
                and not file.name.startswith(".")
            ],
            description=_describe(config),
            license_url=_LICENSES.get(
                config.source, ("", info.redistribution_info.license)
            )[1],
            url=url or info.homepage,
            date_published=date,
        )
        (path / CARD).write_text(card)
        (path / CROISSANT).write_text(croissant)
    except tf.errors.InvalidArgumentError as error:
        raise InputError(
            f"{os.fspath(folder)} has records that are no examples of its"
            " dataset; copy or build the dataset again"
        ) from error
    except OSError as error:
        raise InputError(
            f"{CARD} and {CROISSANT} can't be written to {os.fspath(folder)}"
            f" ({error}); fix the permissions, or copy the folder"
        ) from error


def _parse_date(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d")
    except ValueError as error:
        raise InputError(
            f"date_published must be a date such as 2026-12-31, got {text!r}"
        ) from error


def _describe(config: SeqDigitsConfig) -> str:
    """Describes an example of a config."""
    counts = f"{config.min_digits} to {config.max_digits} glyphs"
    if config.min_digits == config.max_digits:
        counts = f"{config.max_digits} glyphs"
    sentences = [
        config.description,
        f"An example is a grey image of {config.image_width} x"
        f" {config.image_height} pixels with {counts}, to be read from left to"
        f" right as a sequence. {_LAYOUTS[config.layout]}",
    ]
    return "\n\n".join(filter(None, sentences))


def _make_card(info: tfds.core.DatasetInfo, config: SeqDigitsConfig) -> str:
    """Returns the content of `README.md`."""
    classes = [
        html.escape(name).replace("|", "&#124;")
        for name in info.features["label"].feature.names
    ]
    lengths, shares = _count(info, config)
    default = SeqDigitsConfig(name=config.name).settings
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.from_string(_TEMPLATE.read_text()).render(
        info=info,
        config=config,
        front_matter=yaml.safe_dump(
            _make_front_matter(info, config), sort_keys=False
        ),
        description=_describe(config),
        features=[
            (
                f"`{feature.name}`",
                np.dtype(feature.tensor_info.np_dtype).name,
                list(feature.tensor_info.shape),
                describe_feature(feature),
            )
            for feature in list_features(info)
        ],
        classes=[f"{number} = {name}" for number, name in enumerate(classes)],
        splits=[
            (
                f"`{name}`",
                f"{split.num_examples:,}",
                f"{split.num_bytes:,}",
                split.num_shards,
                *_list_settings(config.splits[name]),
            )
            for name, split in info.splits.items()
        ],
        split_names=[f"`{name}`" for name in info.splits],
        lengths=_list_percentages(
            range(config.min_digits, config.max_digits + 1),
            lengths[:, config.min_digits :],
        ),
        shares=_list_percentages(classes[:-1], shares[:, :-1]),
        settings={"name": config.name}
        | {
            name: value
            for name, value in config.settings.items()
            if value != default[name]
        },
        limits=[
            _LIMITS[key]
            for key in (config.source, config.layout)
            if key in _LIMITS
        ],
    )


def _make_front_matter(
    info: tfds.core.DatasetInfo, config: SeqDigitsConfig
) -> Mapping[str, object]:
    """Returns the card's metadata, as the Hub specifies it."""
    tasks = ["image-to-text", "image-classification"]
    if "bbox" in info.features:
        tasks.append("object-detection")
    if "mask" in info.features:
        tasks.append("image-segmentation")
    return {
        "pretty_name": f"{info.name}/{config.name}",
        "license": _LICENSES.get(config.source, ("unknown", ""))[0],
        "task_categories": tasks,
        "size_categories": [_find_size(info.splits.total_num_examples)],
        "tags": ["image", "ocr", "sequence-recognition", "synthetic", "tfds"],
        # The Hub's viewer does not read these file formats.
        "viewer": False,
    }


def _find_size(num_examples: int) -> str:
    place = len(str(num_examples)) - 3
    if place < 1:
        return f"n<{_SIZES[0]}"
    return f"{_SIZES[place - 1]}<n<{_SIZES[place]}"


def _list_settings(split: SplitSettings) -> list[str]:
    return [
        f"{split.min_digits}..{split.max_digits}",
        split.numbers.value,
        "{}..{}".format(*split.clutter),
        "{:g}..{:g}".format(*split.noise),
    ]


def _count(
    info: tfds.core.DatasetInfo, config: SeqDigitsConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Counts examples by length, and glyphs by class.

    Returns:
      int64 [splits, max_digits + 1] and [splits, classes], the blank included.
    """
    # Imported here, because it imports TensorFlow.
    from seqdigits_tfds.decoding import choose_features, decode_records

    features = choose_features(info, ["label", "length"])
    num_classes = info.features["label"].feature.num_classes
    rows = {split: row for row, split in enumerate(info.splits)}
    lengths = np.zeros((len(rows), config.max_digits + 1), np.int64)
    classes = np.zeros((len(rows), num_classes), np.int64)
    name = f"Reading {info.full_name}"
    with Progress(info.splits.total_num_examples, name, "examples") as progress:
        for shard in list_shards(info, config.splits):
            row = rows[shard.split]
            for _, records in read_records(shard, info):
                batch = decode_records(records, features)
                lengths[row] += np.bincount(
                    batch["length"], minlength=config.max_digits + 1
                )
                classes[row] += np.bincount(
                    batch["label"].numpy().ravel(), minlength=num_classes
                )
                progress.advance(len(records))
    return lengths, classes


def _list_percentages(
    names: Iterable[object], counts: np.ndarray
) -> list[list[object]]:
    """Returns a row for each column of `counts`, whose rows are the splits."""
    percentages = 100 * counts / counts.sum(axis=1, keepdims=True)
    return [
        [name, *(f"{value:.2f}" for value in values)]
        for name, values in zip(names, percentages.T, strict=True)
    ]


if __name__ == "__main__":
    # Not on import: programs that use `write_card` have flags of their own.
    flags.DEFINE_string("url", None, "Page on which the dataset is published.")
    flags.DEFINE_string(
        "date_published", None, "Date of publication, such as 2026-12-31."
    )
    app.run(main)
