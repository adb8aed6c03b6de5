"""seqdigits: images of 1 to 5 handwritten digits in a row."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import dataset_builder

from seqdigits_tfds import (
    composition,
    errors,
    glyphs,
    mnist_files,
    png,
    records,
    rendering,
)
from seqdigits_tfds.config import SeqDigitsConfig

_NUM_SHARDS = 8
_CLASS_NAMES = [*map(str, range(10)), "blank"]


class Builder(dataset_builder.FileReaderBuilder):
    """Builds `seqdigits`; see the README.md beside this file."""

    name = "seqdigits"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    # `tfds build` without a config builds all in this order: the embedded one
    # first, since the other may have to be downloaded.
    BUILDER_CONFIGS = [
        SeqDigitsConfig(
            name="optdigits",
            description=(
                "Digits of scikit-learn's bundled `load_digits`, enlarged from"
                " 8x8 to 28x28. Needs no download."
            ),
            source="optdigits",
            num_train=20_000,
            num_validation=2_000,
            num_test=4_000,
        ),
        SeqDigitsConfig(
            name="mnist",
            description=(
                "Digits of MNIST: `train` and `validation` from its training"
                " digits, `test` from its test digits."
            ),
        ),
    ]
    DEFAULT_BUILDER_CONFIG_NAME = "mnist"
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    Optional: put MNIST's four files (train-images-idx3-ubyte,
    train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte),
    plain or as .gz, into this directory. They are downloaded otherwise.
    """

    def __init__(
        self, *, config: str | SeqDigitsConfig | None = None, **kwargs: Any
    ) -> None:
        """As in TFDS, but an unknown config is an `InputError`."""
        known = self.builder_configs
        if isinstance(config, str) and config.split(":")[0] not in known:
            raise errors.InputError(
                f"config must be one of {', '.join(known)}, got {config!r}"
            )
        super().__init__(config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        shape = (config.image_height, config.image_width, 1)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=shape,
                        encoding_format="png",
                        doc="The digits side by side, left-aligned, in a row"
                        f" of {config.max_digits} cells of 28x28 pixels,"
                        " resized; 0 = background.",
                    ),
                    "label": tfds.features.Sequence(
                        tfds.features.ClassLabel(names=_CLASS_NAMES),
                        length=config.max_digits,
                        doc="The digits, padded on the right with 10 = blank.",
                    ),
                    "length": tfds.features.Scalar(
                        np.int64,
                        doc=tfds.features.Documentation(
                            desc="Number of digits.",
                            value_range=f"1..{config.max_digits}",
                        ),
                    ),
                    "glyph_id": tfds.features.Tensor(
                        shape=(config.max_digits,),
                        dtype=np.int64,
                        doc="Row of the glyph source of each digit; -1 for a"
                        " blank.",
                    ),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://yann.lecun.com/exdb/mnist/",
            license=(
                "Apache-2.0 (composition); MNIST: CC BY-SA 3.0, Yann LeCun"
                " and Corinna Cortes; optdigits: CC BY 4.0, E. Alpaydin and"
                " C. Kaynak"
            ),
            # With it, a folder says of which digits it is made, and how.
            metadata=tfds.core.MetadataDict(config.settings),
        )

    def download_and_prepare(
        self,
        *,
        download_config: tfds.download.DownloadConfig | None = None,
        **kwargs: Any,
    ) -> None:
        """As in TFDS, but writes 8 shards a split unless told otherwise.

        TFDS would write one, which can neither be read in parallel nor be
        divided among workers.

        Raises:
          InputError: If the dataset can't be written, or MNIST's files are
            wrong or can't be had.
        """
        download_config = download_config or tfds.download.DownloadConfig()
        if download_config.num_shards is None:
            # A shard can't be empty.
            num_shards = min(
                _NUM_SHARDS,
                *self.builder_config.num_examples.values(),
                download_config.max_examples_per_split or _NUM_SHARDS,
            )
            download_config = dataclasses.replace(
                download_config, num_shards=num_shards
            )
        try:
            super().download_and_prepare(
                download_config=download_config, **kwargs
            )
        except OSError as error:
            if self.is_prepared():
                # Another process was faster, and its files are just as ours.
                self.info.read_from_directory(self.data_dir)
                return
            raise errors.InputError(
                f"{self.info.full_name} can't be written to"
                f" {self.data_dir_root} ({error}); choose another --data_dir"
            ) from error

    def _download_and_prepare(
        self,
        dl_manager: tfds.download.DownloadManager,
        download_config: tfds.download.DownloadConfig,
    ) -> None:
        """Writes all splits; called by `download_and_prepare`."""
        limit = download_config.max_examples_per_split
        if limit == 0:
            return
        config = self.builder_config
        source = self._load_glyphs(dl_manager)
        # What `NO_GLYPH`, -1, selects: the last row.
        cells = np.concatenate(
            [source.images, np.zeros_like(source.images[:1])]
        )
        classes = np.append(source.labels, composition.BLANK)

        def write(split: str, num_examples: int) -> tfds.core.SplitInfo:
            plan = composition.plan_examples(
                0,
                num_examples,
                seed=config.seed,
                split=split,
                pool=source.pools[split],
                max_digits=config.max_digits,
            )

            def make_examples(indices: np.ndarray) -> records.Examples:
                glyph_ids = plan.glyph_ids[indices]
                images = rendering.render_sequences(
                    cells[glyph_ids],
                    height=config.image_height,
                    width=config.image_width,
                )
                return {
                    "image": [png.encode_png(i) for i in images],
                    "label": classes[glyph_ids],
                    "length": plan.lengths[indices],
                    "glyph_id": glyph_ids,
                }

            return records.write_split(
                split,
                num_examples,
                make_examples,
                num_shards=download_config.num_shards,
                template=self._get_filename_template(split),
                writer=tfds.core.ExampleWriter(self.info.file_format),
            )

        self.info.set_splits(
            tfds.core.SplitDict(
                [
                    write(split, min(num_examples, limit or num_examples))
                    for split, num_examples in config.num_examples.items()
                ]
            )
        )

    def load_glyphs(self, manual_dir: str | None = None) -> glyphs.GlyphSource:
        """Loads the digits that the config's examples are made of.

        Args:
          manual_dir: Directory with MNIST's four files; None for TFDS's
            default. They are downloaded if they aren't there.

        Raises:
          InputError: If MNIST's files are wrong or can't be had.
        """
        downloads = self.data_dir_root / "downloads"
        if manual_dir is None:
            manual_path = downloads / "manual"
        else:
            manual_path = tfds.core.Path(manual_dir).expanduser()
        return self._load_glyphs(
            tfds.download.DownloadManager(
                download_dir=downloads,
                manual_dir=manual_path,
                manual_dir_instructions=self.MANUAL_DOWNLOAD_INSTRUCTIONS,
                url_infos=self.url_infos,
                dataset_name=self.name,
            )
        )

    def _load_glyphs(
        self, dl_manager: tfds.download.DownloadManager
    ) -> glyphs.GlyphSource:
        if self.builder_config.source == "optdigits":
            return glyphs.load_optdigits()
        try:
            manual_dir = dl_manager.manual_dir
            files = mnist_files.find_files(manual_dir)
        except AssertionError:  # TFDS's way to say that it isn't there.
            manual_dir, files = "the manual directory", None
        if files is None:
            files = self._download_mnist(dl_manager, manual_dir)
        return glyphs.load_mnist(files)

    def _download_mnist(
        self, dl_manager: tfds.download.DownloadManager, manual_dir: object
    ) -> dict[str, tfds.core.Path]:
        reason = mnist_files.why_not_downloadable(dl_manager.download_dir)
        if reason is None:
            try:
                return dl_manager.download(mnist_files.URLS)
            except Exception as error:  # TFDS, requests, disks: many kinds.
                reason = " ".join(str(error).split())
        raise errors.InputError(
            mnist_files.describe_missing_files(manual_dir, reason)
        )
