"""Chooses the dataset of a run, and prepares it."""

import dataclasses
import json
import re
import sys

import tensorflow_datasets as tfds
from google.protobuf import json_format

from seqdigits_tfds import InputError, mnist_files
from seqdigits_tfds.builder_config import TILED
from seqdigits_tfds.configs import restore_config
from trainer.data.records import verify_records

AUTO = "auto"
MNIST = "seqdigits/mnist"
EMBEDDED = "seqdigits/optdigits"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The dataset of a run.

    Attributes:
      builder: Its builder, prepared or not.
      warning: Why `AUTO` did not choose MNIST; None if it did, or if the user
        named the dataset.
    """

    builder: tfds.core.DatasetBuilder
    warning: str | None = None


def choose_dataset(
    name: str, data_dir: str | None, manual_dir: str | None
) -> Choice:
    """Finds the dataset `name`, or the best available one for `AUTO`.

    Args:
      name: TFDS name of a seqdigits config, such as "seqdigits/mnist", or
        `AUTO`: MNIST if it is prepared, its files are found, or it can be
        downloaded, and the embedded digits otherwise.
      data_dir: TFDS data directory; None for TFDS's default.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.

    Raises:
      InputError: If the dataset or `manual_dir` does not exist, or `AUTO` finds
        only some of MNIST's files.
    """
    named_dir = _find_manual_dir(manual_dir)
    if name != AUTO:
        return Choice(_make_builder(name, data_dir))
    builder = _make_builder(MNIST, data_dir)
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
        _make_builder(EMBEDDED, data_dir),
        warning=f"NOT TRAINING ON MNIST, but on the embedded {EMBEDDED}:\n"
        + mnist_files.describe_missing_files(files_dir, reason),
    )


def find_layout(builder: tfds.core.DatasetBuilder) -> str:
    """Returns the layout of a dataset's images, such as "tiled".

    Args:
      builder: From `choose_dataset`, prepared or not.
    """
    # Version 1 of the dataset had no other, and `prepare_dataset` refuses it.
    return (builder.info.metadata or {}).get("layout", TILED)


def prepare_dataset(
    builder: tfds.core.DatasetBuilder, manual_dir: str | None
) -> dict[str, str]:
    """Prepares the dataset if necessary, and verifies that it is complete.

    Args:
      builder: From `choose_dataset`.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.

    Returns:
      "digest", that of its examples (`seqdigits_tfds.records.digest_examples`),
      and "sha256", that of its records (`records.verify_records`).

    Raises:
      InputError: If the dataset can't be prepared, is damaged, or comes from an
        earlier version.
    """
    if not builder.is_prepared():
        _prepare(builder, manual_dir)
    restore_config(builder.info)
    return {
        "digest": builder.info.metadata["digest"],
        "sha256": verify_records(builder),
    }


def _make_builder(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    if not re.fullmatch(r"seqdigits(/\w+)?(:[\d.]+)?", name):
        raise InputError(
            f"dataset must be {AUTO}, {MNIST}, {EMBEDDED} or another prepared"
            f" config of seqdigits, got {name!r}"
        )
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        _ = builder.info.metadata  # TFDS reads them when they are asked for.
        return builder
    except (
        UnicodeDecodeError,
        json.JSONDecodeError,
        json_format.ParseError,
    ) as error:
        raise InputError(
            f"the metadata of dataset {name!r} in"
            f" {data_dir or 'the default data_dir'} are damaged"
            f" ({' '.join(str(error).split())}); delete its folder and prepare"
            " it again"
        ) from error
    except (
        AssertionError,  # Raised by TFDS for an unknown version.
        ValueError,
        tfds.core.DatasetNotFoundError,
    ) as error:
        known = ", ".join(tfds.builder_cls("seqdigits").builder_configs)
        raise InputError(
            f"dataset {name!r} is neither one of seqdigits' own configs"
            f" ({known}) nor prepared in"
            f" {data_dir or 'the default data_dir'}; prepare it with"
            " `tfds build`, or choose another --dataset"
        ) from error


def _find_manual_dir(manual_dir: str | None) -> tfds.core.Path | None:
    if manual_dir is None:
        return None
    path = tfds.core.Path(manual_dir).expanduser()
    if not path.is_dir():
        raise InputError(
            "manual_dir must be the directory that contains MNIST's files, got"
            f" {manual_dir!r}, which is not a directory"
        )
    return path


def _prepare(builder: tfds.core.DatasetBuilder, manual_dir: str | None) -> None:
    if not sys.stderr.isatty():
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
