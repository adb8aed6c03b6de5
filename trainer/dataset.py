"""Which dataset to train on: chosen, prepared, and checked to be whole."""

import dataclasses
import hashlib
import pathlib
import re
import sys

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from seqdigits_tfds import InputError, mnist_files
from trainer.models import Shape
from trainer.run_directory import check_writable

AUTO = "auto"
_MNIST = "seqdigits/mnist"
_EMBEDDED = "seqdigits/optdigits"


@dataclasses.dataclass(frozen=True)
class Choice:
    """A dataset to train on.

    Attributes:
      builder: Its builder, prepared or not.
      warning: What must be said aloud: that `AUTO` did not choose MNIST, and
        why. None if it did, or if the dataset was named.
    """

    builder: tfds.core.DatasetBuilder
    warning: str | None = None


def choose_dataset(
    name: str, data_dir: str | None, manual_dir: str | None
) -> Choice:
    """Finds the dataset `name`, or the best that can be had for `AUTO`.

    Args:
      name: TFDS name of a seqdigits config, such as "seqdigits/mnist", or
        `AUTO`: MNIST if it is prepared, its files are at hand, or it can be
        downloaded, and the embedded digits otherwise.
      data_dir: TFDS data directory; None for TFDS's default.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.

    Raises:
      InputError: If there is no such dataset or directory, or only some of
        MNIST's files.
    """
    named_dir = _find_manual_dir(manual_dir)
    if name != AUTO:
        return Choice(_make_builder(name, data_dir))
    builder = _make_builder(_MNIST, data_dir)
    if builder.is_prepared():
        return Choice(builder)
    download_dir = tfds.core.Path(builder.data_dir_root) / "downloads"
    files_dir = named_dir or download_dir / "manual"
    if mnist_files.find_files(files_dir):
        return Choice(builder)
    reason = mnist_files.why_not_downloadable(download_dir)
    if reason is None:
        return Choice(builder)
    return Choice(
        _make_builder(_EMBEDDED, data_dir),
        warning=f"NOT TRAINING ON MNIST, but on the embedded {_EMBEDDED}:\n"
        + mnist_files.describe_missing_files(files_dir, reason),
    )


def prepare_dataset(
    builder: tfds.core.DatasetBuilder, manual_dir: str | None
) -> str:
    """Prepares the dataset where it is not, and checks that it is whole.

    Args:
      builder: As `choose_dataset` gives it.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.

    Returns:
      SHA-256 of the dataset's records, as hexadecimal digits.

    Raises:
      InputError: If the dataset can't be prepared, or is damaged.
    """
    if not builder.is_prepared():
        _prepare(builder, manual_dir)
    return _check_records(builder)


def get_shape(builder: tfds.core.DatasetBuilder) -> Shape:
    """Returns what a model for this dataset has to take and to give."""
    label = builder.info.features["label"]
    return Shape(
        image=builder.info.features["image"].shape,
        num_positions=label.shape[0],
        num_classes=label.feature.num_classes,
    )


def _make_builder(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    if not re.fullmatch(r"seqdigits(/\w+)?(:[\d.]+)?", name):
        raise InputError(
            f"dataset must be {AUTO}, {_MNIST}, {_EMBEDDED} or another"
            f" prepared config of seqdigits, got {name!r}"
        )
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (
        AssertionError,  # TFDS's way to refuse a version.
        ValueError,
        tfds.core.DatasetNotFoundError,
    ) as error:
        known = ", ".join(tfds.builder_cls("seqdigits").builder_configs)
        raise InputError(
            f"dataset {name!r} is neither one of seqdigits' own configs"
            f" ({known}) nor prepared in"
            f" {data_dir or 'the default data_dir'}; prepare it with"
            " `tfds build`, or name another"
        ) from error


def _find_manual_dir(manual_dir: str | None) -> tfds.core.Path | None:
    if manual_dir is None:
        return None
    path = tfds.core.Path(manual_dir).expanduser()
    if not path.is_dir():
        raise InputError(
            "manual_dir must be the directory that MNIST's files are in, got"
            f" {manual_dir!r}, which is no directory"
        )
    return path


def _prepare(builder: tfds.core.DatasetBuilder, manual_dir: str | None) -> None:
    check_writable(pathlib.Path(builder.data_dir_root), "data_dir")
    in_terminal = sys.stderr.isatty()
    if not in_terminal:
        tfds.disable_progress_bar()
    num_examples = sum(builder.builder_config.num_examples.values())
    print(
        f"Preparing {builder.info.full_name}, {num_examples:,} examples ...",
        file=sys.stderr,
        flush=True,
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=_find_manual_dir(manual_dir), try_download_gcs=False
        )
    )


def _check_records(builder: tfds.core.DatasetBuilder) -> str:
    file_format = builder.info.file_format.value
    if file_format != "tfrecord":
        raise InputError(
            f"{builder.data_path} must hold TFRecords to stream from, and holds"
            f" {file_format}; prepare the dataset in another --data_dir"
        )
    advice = f"; delete {builder.data_path} and start again to prepare it anew"
    digest = hashlib.sha256()
    for _, split in sorted(builder.info.splits.items()):
        for path, wanted in zip(
            split.filepaths, split.shard_lengths, strict=True
        ):
            try:
                digest.update(path.read_bytes())
                found = (
                    tf.data.TFRecordDataset(str(path))
                    .reduce(np.int64(0), lambda count, _: count + 1)
                    .numpy()
                )
            except (OSError, tf.errors.OpError) as error:
                what = "missing" if not path.exists() else "damaged"
                raise InputError(
                    f"shard {path} is {what}: {wanted} examples wanted{advice}"
                ) from error
            if found != wanted:
                raise InputError(
                    f"shard {path} is truncated: {wanted} examples wanted,"
                    f" {found} found{advice}"
                )
    return digest.hexdigest()
