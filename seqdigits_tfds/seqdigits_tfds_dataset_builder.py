"""seqdigits: images of handwritten digits, or other glyphs, in a row."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from seqdigits_tfds import errors
from seqdigits_tfds.builder_config import SCATTERED, SeqDigitsConfig
from seqdigits_tfds.configs import CONFIGS, find_config
from seqdigits_tfds.glyphs import BLANK_NAME
from seqdigits_tfds.indexed_builder import IndexedBuilder
from seqdigits_tfds.records import MakeExamples
from seqdigits_tfds.sequences import make_splits
from seqdigits_tfds.sources import find_source, load_glyphs


class Builder(IndexedBuilder):
    """Builds `seqdigits`; see the README.md beside this file."""

    name = "seqdigits"
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES = {
        "2.0.0": "Examples are stored in the order of their indices.",
        "1.0.0": "First release.",
    }
    BUILDER_CONFIGS = list(CONFIGS)
    DEFAULT_BUILDER_CONFIG_NAME = "mnist"
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    Optional: put MNIST's four files (train-images-idx3-ubyte,
    train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte),
    plain or as .gz, into this directory. They are downloaded otherwise.
    """

    def __init__(
        self, *, config: str | SeqDigitsConfig | None = None, **kwargs: Any
    ) -> None:
        """Like TFDS, but raises `InputError` for an impossible config."""
        if isinstance(config, str):
            find_config(config.split(":")[0])
        elif config is not None:
            known = next((c for c in CONFIGS if c.name == config.name), config)
            if config.settings != known.settings:
                raise errors.InputError(
                    f"the name {config.name!r} is that of a standard config;"
                    " choose another for your own"
                )
            config = known  # TFDS wants the same object.
        super().__init__(config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        source = find_source(config.source)
        names = source.name_classes(config, self.data_dir_root)
        if BLANK_NAME in names:
            raise errors.InputError(
                f"source {config.source} must not have a class named"
                f" {BLANK_NAME!r}, which is that of empty positions; rename it"
            )
        positions = config.max_digits
        features = {
            "image": tfds.features.Image(
                shape=(config.image_height, config.image_width, 1),
                encoding_format="png",
                doc="The glyphs from left to right; 0 = background.",
            ),
            "label": tfds.features.Sequence(
                tfds.features.ClassLabel(names=[*names, BLANK_NAME]),
                length=positions,
                doc=f"Their classes, padded on the right with {len(names)} ="
                " blank.",
            ),
            "length": tfds.features.Scalar(
                np.int64,
                doc=tfds.features.Documentation(
                    desc="Number of glyphs.",
                    value_range=f"{config.min_digits}..{positions}",
                ),
            ),
            "glyph_id": tfds.features.Tensor(
                shape=(positions,),
                dtype=np.int64,
                doc="Row of the glyph source of each glyph; -1 for a blank.",
            ),
        }
        if config.layout == SCATTERED:
            features["bbox"] = tfds.features.Sequence(
                tfds.features.BBoxFeature(),
                length=positions,
                doc="The smallest box around each glyph's ink; 0 for a blank.",
            )
            features["transform"] = tfds.features.Tensor(
                shape=(positions, 2, 3),
                dtype=np.float32,
                doc="Turns (x, y, 1) of a pixel of the image into (x, y) of the"
                " glyph; 0 for a blank.",
            )
        if config.masks:
            features["mask"] = tfds.features.Tensor(
                shape=(positions, config.image_height, config.image_width),
                dtype=np.bool_,
                encoding="zlib",
                doc="The ink of each glyph.",
            )
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage="https://yann.lecun.com/exdb/mnist/",
            license=f"Apache-2.0 (composition); {source.license}",
            # Records in the prepared folder how its examples are made.
            metadata=tfds.core.MetadataDict(config.settings),
        )

    def download_and_prepare(self, **kwargs: Any) -> None:
        """See `IndexedBuilder`.

        Raises:
          InputError: Also if the folder has been prepared with other settings.
        """
        super().download_and_prepare(**kwargs)
        stored = self.info.metadata or {}
        for field, value in self.builder_config.settings.items():
            if stored.get(field, value) != value:
                raise errors.InputError(
                    f"{self.data_dir} was prepared with"
                    f" {field}={stored[field]!r}, not {value!r}; choose another"
                    " name for the config, or overwrite the dataset"
                )

    @property
    def num_examples(self) -> Mapping[str, int]:
        """See `IndexedBuilder`."""
        return self.builder_config.num_examples

    def open_examples(
        self, dl_manager: tfds.download.DownloadManager
    ) -> MakeExamples:
        """See `IndexedBuilder`."""
        source = load_glyphs(
            self.builder_config, self.data_dir_root, dl_manager=dl_manager
        )
        return make_splits(self.builder_config, source)
