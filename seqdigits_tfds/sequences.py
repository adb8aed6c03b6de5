"""The examples of a split, made on the spot: a pure function of an index."""

import functools
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_datasets as tfds

from seqdigits_tfds import errors, rendering
from seqdigits_tfds.builder_config import TILED, SeqDigitsConfig
from seqdigits_tfds.composition import Numbers, Pool, plan_examples
from seqdigits_tfds.configs import find_config
from seqdigits_tfds.distractions import add_clutter, add_noise
from seqdigits_tfds.glyphs import GlyphSource
from seqdigits_tfds.records import Examples, MakeExamples
from seqdigits_tfds.scattering import scatter_glyphs
from seqdigits_tfds.sources import load_glyphs


class Sequences:
    """The examples of a split, made when they are asked for, without files.

    Example i is the one that a build stores as record i. It works as a dataset
    of PyTorch and as a data source of Grain:

      sequences = Sequences("optdigits", "train")
      sequences[0]["image"]  # uint8 [64, 64, 1]
      sequences.make_examples(np.arange(128))["label"]  # int64 [128, 5]

    Args:
      config: The dataset's configuration, or the name of one in `CONFIGS`.
      split: Name of a split.
      data_dir: TFDS's data directory, where downloads and TFDS sources are;
        None for TFDS's default.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.
        They are downloaded if the directory does not have them.
      source: The config's glyphs, if they are already loaded.

    Raises:
      InputError: If the config or split does not exist, or the glyphs are not
        available or can't be used.
    """

    def __init__(
        self,
        config: SeqDigitsConfig | str,
        split: str = "train",
        *,
        data_dir: str | os.PathLike | None = None,
        manual_dir: str | None = None,
        source: GlyphSource | None = None,
    ) -> None:
        config = find_config(config)
        if split not in config.splits:
            raise errors.InputError(
                f"split of config {config.name} must be one of"
                f" {', '.join(config.splits)}, got {split!r}"
            )
        if source is None:
            directory = tfds.core.Path(
                data_dir or tfds.core.constants.DATA_DIR
            ).expanduser()
            source = load_glyphs(config, directory, manual_dir)
        self.config = config
        self.split = split
        self._settings = config.splits[split]
        self.source = source
        rows = source.pools[self._settings.pool]
        num_classes = len(source.class_names) - 1
        self._pool = Pool(rows, source.labels[rows], num_classes)
        if self._settings.numbers is not Numbers.ALL:
            missing = np.flatnonzero(self._pool.counts == 0)
            if len(missing) or num_classes < 2:
                raise errors.InputError(
                    f"num_ood needs glyphs of every class in the pool"
                    f" {self._settings.pool}, but it has none of"
                    f" {missing.tolist()}; use num_ood=0 or another source"
                )

    @property
    def class_names(self) -> Sequence[str]:
        """The name of each class, of which the blank is the last."""
        return self.source.class_names

    def __len__(self) -> int:
        return self._settings.num_examples

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """Returns example `index`, an array for each feature.

        Raises:
          IndexError: If `index` is not between 0 and the number of examples.
        """
        return self.__getitems__([operator.index(index)])[0]

    def __getitems__(self, indices: Iterable[int]) -> list[dict[str, Any]]:
        """Returns some examples, made together; PyTorch calls this for a batch.

        Raises:
          IndexError: If an index is not between 0 and the number of examples.
        """
        wanted = np.fromiter(indices, np.int64)
        if ((wanted < 0) | (wanted >= len(self))).any():
            raise IndexError(
                f"indices of {self.split} must be 0 to {len(self) - 1}, got"
                f" {wanted.tolist()}; make_examples() has no upper limit"
            )
        examples = self.make_examples(wanted)
        return [
            dict(zip(examples, values, strict=True))
            for values in zip(*examples.values(), strict=True)
        ]

    def make_examples(self, indices: npt.ArrayLike) -> Examples:
        """Makes some examples, also of indices beyond the end of the split.

        Args:
          indices: Integers [n], at least 0, in any order.

        Returns:
          The examples' features:
            image: uint8 [n, height, width, 1], 0 = background.
            label: int64 [n, max_digits], classes, padded on the right with the
              blank, which is the number of classes.
            length: int64 [n], number of glyphs.
            glyph_id: int64 [n, max_digits], rows of the source; -1 for a blank.
          With the layout `scattered` also:
            bbox: float32 [n, max_digits, 4], ymin, xmin, ymax, xmax as parts of
              the image's height and width; 0 for a blank.
            transform: float32 [n, max_digits, 2, 3]; see
              `scattering.Scattered`.
          With `masks` also:
            mask: bool [n, max_digits, height, width], the ink of each glyph.

        Raises:
          IndexError: If an index is negative or not an integer.
        """
        indices = np.asarray(indices)
        if indices.size and (
            indices.dtype.kind not in "iu" or indices.min() < 0
        ):
            raise IndexError(
                f"indices of {self.split} must be integers from 0 on, got"
                f" {indices.tolist()}"
            )
        indices = indices.astype(np.int64, copy=False)
        if not len(indices):
            one = self.make_examples(np.zeros(1, np.int64))
            return {name: values[:0] for name, values in one.items()}
        config = self.config
        plan = plan_examples(
            indices,
            seed=config.seed,
            split=self.split,
            pool=self._pool,
            min_digits=self._settings.min_digits,
            max_digits=self._settings.max_digits,
            num_positions=config.max_digits,
            numbers=self._settings.numbers,
        )
        cells = self.source.images[plan.glyph_ids]
        height, width = config.image_height, config.image_width
        more: dict[str, np.ndarray] = {}
        if config.layout == TILED:
            images = rendering.render_sequences(
                cells, height=height, width=width
            )[..., 0]
        else:
            scattered = scatter_glyphs(
                cells,
                plan.lengths,
                indices,
                scatter=config.scatter,
                seed=config.seed,
                split=self.split,
                height=height,
                width=width,
                with_masks=config.masks,
            )
            images = scattered.images
            edges = (height, width, height, width)
            more["bbox"] = (scattered.boxes / edges).astype(np.float32)
            more["transform"] = scattered.transforms
            if scattered.masks is not None:
                more["mask"] = scattered.masks
        add_clutter(
            images,
            indices,
            glyphs=self.source.images,
            rows=self._pool.rows,
            pieces=self._settings.clutter,
            seed=config.seed,
            split=self.split,
        )
        add_noise(
            images,
            indices,
            deviation=self._settings.noise,
            seed=config.seed,
            split=self.split,
        )
        return {
            "image": images[..., np.newaxis],
            "label": self.source.labels[plan.glyph_ids],
            "length": plan.lengths,
            "glyph_id": plan.glyph_ids,
            **more,
        }


def make_splits(config: SeqDigitsConfig, source: GlyphSource) -> MakeExamples:
    """Returns a function that makes examples of any split of a dataset."""
    splits = {
        split: Sequences(config, split, source=source)
        for split in config.splits
    }
    return functools.partial(_make_examples, splits)


def _make_examples(
    splits: Mapping[str, Sequences], split: str, indices: np.ndarray
) -> Examples:
    return splits[split].make_examples(indices)
