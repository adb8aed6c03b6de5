"""seqdigits: images of 1 to 5 handwritten digits in a row."""

import dataclasses
import functools
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
from seqdigits_tfds.builder_config import SeqDigitsConfig

_NUM_SHARDS = 8
_CLASS_NAMES = [*map(str, range(10)), "blank"]


class Builder(dataset_builder.FileReaderBuilder):
    """Builds `seqdigits`; see the README.md beside this file."""

    name = "seqdigits"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    # `tfds build` without a config builds all of them in this order. The
    # embedded one comes first, because MNIST may need a download.
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
        """Like TFDS, but raises `InputError` for an unknown config."""
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
            # Records in the prepared folder how its examples were made.
            metadata=tfds.core.MetadataDict(config.settings),
        )

    def download_and_prepare(
        self,
        *,
        download_config: tfds.download.DownloadConfig | None = None,
        **kwargs: Any,
    ) -> None:
        """Like TFDS, but writes 8 shards per split by default.

        If a split has fewer than 8 examples, each split has that many shards.
        TFDS would write a single shard, which can neither be read in parallel
        nor divided among workers.

        Raises:
          InputError: If the dataset can't be written, or MNIST's files are
            wrong or not available.
        """
        download_config = download_config or tfds.download.DownloadConfig()
        if download_config.num_shards is None:
            # TFDS does not allow empty shards.
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
                # Another process has written the same files first.
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
        source = self._load_glyphs(dl_manager)
        self.info.set_splits(
            tfds.core.SplitDict(
                [
                    self._write_split(
                        split,
                        min(num_examples, limit or num_examples),
                        download_config.num_shards,
                        source,
                    )
                    for split, num_examples in (
                        self.builder_config.num_examples.items()
                    )
                ]
            )
        )

    def _write_split(
        self,
        split: str,
        num_examples: int,
        num_shards: int,
        source: glyphs.GlyphSource,
    ) -> tfds.core.SplitInfo:
        plan = composition.plan_examples(
            0,
            num_examples,
            seed=self.builder_config.seed,
            split=split,
            pool=source.pools[split],
            max_digits=self.builder_config.max_digits,
        )
        return records.write_split(
            split,
            num_examples,
            functools.partial(
                self._make_examples, plan, *source.append_blank()
            ),
            num_shards=num_shards,
            template=self._get_filename_template(split),
            writer=tfds.core.ExampleWriter(self.info.file_format),
        )

    def _make_examples(
        self,
        plan: composition.Plan,
        cells: np.ndarray,
        classes: np.ndarray,
        indices: np.ndarray,
    ) -> records.Examples:
        """Makes some examples of a plan.

        Args:
          plan: The plan of the split.
          cells: uint8 [g, 28, 28], from `GlyphSource.append_blank`.
          classes: int64 [g], from `GlyphSource.append_blank`.
          indices: int64 [n], the examples to make.
        """
        glyph_ids = plan.glyph_ids[indices]
        images = rendering.render_sequences(
            cells[glyph_ids],
            height=self.builder_config.image_height,
            width=self.builder_config.image_width,
        )
        return {
            "image": [png.encode_png(image) for image in images],
            "label": classes[glyph_ids],
            "length": plan.lengths[indices],
            "glyph_id": glyph_ids,
        }

    def load_glyphs(self, manual_dir: str | None = None) -> glyphs.GlyphSource:
        """Loads all digits of the config's glyph source.

        Args:
          manual_dir: Directory with MNIST's four files; None for TFDS's
            default. They are downloaded if the directory does not have them.

        Raises:
          InputError: If MNIST's files are wrong or not available.
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
        except AssertionError:  # Raised by TFDS if it does not exist.
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
            except Exception as error:  # From TFDS, requests or the disk.
                reason = " ".join(str(error).split())
        raise errors.InputError(
            mnist_files.describe_missing_files(manual_dir, reason)
        )
