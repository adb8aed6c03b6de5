"""Describes a prepared TFDS dataset as Croissant metadata.

Croissant is a format of MLCommons for programs that search, check and load
datasets (https://docs.mlcommons.org/croissant).
"""

import datetime
import json
from collections.abc import Sequence
from typing import Any

import mlcroissant as mlc
import numpy as np
import tensorflow_datasets as tfds

_ENCODINGS = {
    "array_record": "https://github.com/google/array_record",
    "parquet": mlc.EncodingFormat.PARQUET,
    "riegeli": "https://github.com/google/riegeli",
    "tfrecord": "https://www.tensorflow.org/tutorials/load_data/tfrecord",
    ".json": mlc.EncodingFormat.JSON,
}
"""Croissant's names of file formats: MIME types, or addresses where they lack.
All other files are plain text."""


def list_features(info: tfds.core.DatasetInfo) -> list[Any]:
    """Returns TFDS's documentation of each feature, sorted by name."""
    return [doc for doc in info.features.catalog_documentation() if doc.name]


def describe_feature(feature: Any) -> str:
    """Returns the description of a feature, and its range if it has one."""
    values = f" ({feature.value_range})" if feature.value_range else ""
    return f"{feature.description}{values}"


def make_croissant(
    info: tfds.core.DatasetInfo,
    files: Sequence[tfds.core.Path],
    *,
    description: str,
    license_url: str,
    url: str,
    date_published: datetime.datetime | None,
) -> str:
    """Makes the Croissant metadata of a prepared dataset.

    Args:
      info: The dataset's metadata.
      files: Its files.
      description: What an example is.
      license_url: The address of its licence, or its text.
      url: Page on which it is published.
      date_published: Date of publication; None if unknown.

    Returns:
      JSON.
    """
    records = info.file_format.value
    metadata = mlc.Metadata(
        ctx=mlc.Context(conforms_to="http://mlcommons.org/croissant/1.1"),
        name=info.full_name.rpartition("/")[0],
        description=description,
        license=[license_url],
        url=url,
        cite_as=info.citation,
        version=str(info.version),
        date_published=date_published,
        distribution=[
            *(_describe_file(file, records) for file in files),
            mlc.FileSet(
                id="records",
                name="records",
                description="The files with the examples.",
                encoding_formats=[_ENCODINGS[records]],
                includes=[f"{info.name}-*.{records}*"],
            ),
        ],
        record_sets=[_list_splits(info), _describe_examples(info)],
    )
    return json.dumps(metadata.to_json(), indent=2) + "\n"


def _describe_file(path: tfds.core.Path, records: str) -> mlc.FileObject:
    info = tfds.download.checksums.compute_url_info(path)
    kind = records if f".{records}" in path.name else path.suffix
    return mlc.FileObject(
        id=path.name,
        name=path.name,
        content_url=path.name,
        content_size=f"{int(info.size)} B",
        encoding_formats=[_ENCODINGS.get(kind, mlc.EncodingFormat.TEXT)],
        sha256=info.checksum,
    )


def _list_splits(info: tfds.core.DatasetInfo) -> mlc.RecordSet:
    """Returns the table of splits, to which each example refers."""
    return mlc.RecordSet(
        id="splits",
        name="splits",
        key=["splits/name"],
        data_types=[mlc.DataType.SPLIT],
        fields=[
            mlc.Field(
                id="splits/name", name="name", data_types=[mlc.DataType.TEXT]
            ),
            mlc.Field(
                id="splits/num_examples",
                name="num_examples",
                data_types=[mlc.DataType.INT64],
            ),
        ],
        data=[
            {"splits/name": name, "splits/num_examples": split.num_examples}
            for name, split in info.splits.items()
        ],
    )


def _describe_examples(info: tfds.core.DatasetInfo) -> mlc.RecordSet:
    """Returns the table of examples: a field for the split and each feature."""
    split = mlc.Field(
        id="examples/split",
        name="split",
        data_types=[mlc.DataType.TEXT],
        source=mlc.Source(
            file_set="records",
            extract=mlc.Extract(file_property="filename"),
            transforms=[mlc.Transform(regex=rf"^{info.name}-(\w+)\.")],
        ),
        references=mlc.Source(field="splits/name"),
    )
    fields = [
        mlc.Field(
            id=f"examples/{feature.name}",
            name=feature.name,
            description=describe_feature(feature),
            source=mlc.Source(
                file_set="records", extract=mlc.Extract(column=feature.name)
            ),
            **_find_type(feature),
        )
        for feature in list_features(info)
    ]
    return mlc.RecordSet(
        id="examples", name="examples", fields=[split, *fields]
    )


def _find_type(feature: Any) -> dict[str, Any]:
    """Returns the arguments of a field that say what its values are."""
    if feature.cls_name == "Image":
        return {"data_types": [mlc.DataType.IMAGE_OBJECT]}
    dtype = np.dtype(feature.tensor_info.np_dtype)
    shape = feature.tensor_info.shape
    return {
        # Croissant calls its types as NumPy does.
        "data_types": [getattr(mlc.DataType, dtype.name.upper())],
        "is_array": bool(shape) or None,
        "array_shape": ",".join(map(str, shape)) or None,
    }
