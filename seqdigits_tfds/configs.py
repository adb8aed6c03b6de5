"""The configs that have a name, and those of prepared datasets."""

import dataclasses
from typing import Any

import tensorflow_datasets as tfds

from seqdigits_tfds.builder_config import SCATTERED, SeqDigitsConfig
from seqdigits_tfds.errors import InputError

CONFIGS = (
    # `tfds build` without a config builds all of them in this order. The
    # embedded ones come first, because MNIST may need a download.
    SeqDigitsConfig(
        name="optdigits",
        description=(
            "Digits of scikit-learn's bundled `load_digits`, enlarged from 8x8"
            " to 28x28. Needs no download."
        ),
        source="optdigits",
        num_train=20_000,
        num_validation=2_000,
        num_test=4_000,
    ),
    SeqDigitsConfig(
        name="optdigits_scattered",
        description=(
            "The digits of `optdigits`, scattered, with a box for each digit"
            " and splits for out-of-distribution tests. Needs no download."
        ),
        source="optdigits",
        layout=SCATTERED,
        max_digits=7,
        max_train_digits=5,
        image_width=128,
        scale=(0.8, 1.4),
        num_train=20_000,
        num_validation=2_000,
        num_test=4_000,
        num_ood=2_000,
    ),
    SeqDigitsConfig(
        name="mnist",
        description=(
            "Digits of MNIST: `train` and `validation` from its training"
            " digits, `test` from its test digits."
        ),
    ),
    SeqDigitsConfig(
        name="mnist_scattered",
        description=(
            "MNIST digits of any size, angle, height and distance, with a box"
            " for each digit and splits for out-of-distribution tests."
        ),
        layout=SCATTERED,
        max_digits=7,
        max_train_digits=5,
        image_width=128,
        scale=(0.8, 1.4),
        num_ood=5_000,
    ),
    SeqDigitsConfig(
        name="mnist_touching",
        description=(
            "MNIST digits that touch or overlap, as in handwriting; at least"
            " two, with a box and a mask for each."
        ),
        layout=SCATTERED,
        min_digits=2,
        image_width=128,
        gap=(-3, 0),
        scale=(1.0, 1.3),
        rotation=(-10.0, 10.0),
        shift=(-3, 3),
        brightness=(1.0, 1.0),
        masks=True,
    ),
    SeqDigitsConfig(
        name="mnist_long",
        description="As `mnist`, but up to 10 digits, in wider images.",
        max_digits=10,
        image_width=128,
    ),
    SeqDigitsConfig(
        name="mnist_large",
        description=(
            "As `mnist`, but with 10,000,000 training examples, of which the"
            " first 60,000 are those of `mnist`."
        ),
        num_train=10_000_000,
    ),
)
"""The configs that have a name."""


def find_config(config: str | SeqDigitsConfig) -> SeqDigitsConfig:
    """Returns a config, or the one with this name.

    Raises:
      InputError: If there is no config with this name.
    """
    if isinstance(config, SeqDigitsConfig):
        return config
    for known in CONFIGS:
        if known.name == config:
            return known
    names = ", ".join(known.name for known in CONFIGS)
    raise InputError(f"config must be one of {names}, got {config!r}")


def restore_config(
    info: tfds.core.DatasetInfo, **changes: Any
) -> SeqDigitsConfig:
    """Returns the config of a prepared dataset, which is stored beside it.

    Args:
      info: The dataset's metadata.
      **changes: Other values of fields, which make the config one without a
        prepared dataset.

    Raises:
      InputError: If the dataset is not one of `seqdigits`, comes from an
        earlier version, or claims to be a config of `CONFIGS` with other
        values.
    """
    metadata = dict(info.metadata or {})
    if info.name != "seqdigits" or "digest" not in metadata:
        raise InputError(
            f"{info.full_name} must be a dataset of seqdigits from version"
            " 2.0.0 on, which records how its examples are made; prepare the"
            " dataset again"
        )
    del metadata["digest"]
    config = SeqDigitsConfig(name=info.config_name, **metadata)
    for known in CONFIGS:
        if known.name == config.name:
            for field, value in known.settings.items():
                if config.settings[field] != value:
                    raise InputError(
                        f"{info.full_name} must have {field}={value!r},"
                        f" found {config.settings[field]!r}; prepare the"
                        " dataset again"
                    )
            config = known
    return dataclasses.replace(config, **changes) if changes else config
