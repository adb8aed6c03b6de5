"""The settings of a training run."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from typing import Any, Self

from seqdigits_tfds import InputError
from trainer import settings
from trainer.distribution.strategy import (
    MAX_VIRTUAL_DEVICES,
    MULTI_WORKER,
    STRATEGIES,
)
from trainer.model import models
from trainer.model.optimizer import Recipe
from trainer.settings import setting

MEMORY, DISK = INPUTS = ("memory", "disk")
STORED, FRESH = TRAIN_SEQUENCES = ("stored", "fresh")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")

_DATA = "data"
_MODEL = "model"
_TRAINING = "training"
_DEVICES = "devices"
_OUTPUT = "output"
_RECIPE = "the model's"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The validated settings of a training run; see each field's `help`.

    Raises:
      InputError: If a value is not permitted, or values contradict each other.
    """

    dataset: str = setting(
        "auto",
        group=_DATA,
        help="Dataset to train on: seqdigits/mnist, seqdigits/optdigits or"
        " another prepared config of seqdigits; auto is MNIST if it can be"
        " found or downloaded, and optdigits otherwise.",
    )
    data_dir: str | None = setting(
        None,
        group=_DATA,
        default_help="TFDS's",
        affects_result=False,
        help="TFDS data directory, where datasets are prepared.",
    )
    manual_dir: str | None = setting(
        None,
        group=_DATA,
        default_help="TFDS's",
        affects_result=False,
        help="Directory with MNIST's four files, plain or .gz.",
    )
    input: str = setting(
        MEMORY,
        group=_DATA,
        choices=INPUTS,
        renamed={"records": "disk"},
        affects_result=False,
        help="Where to read the splits from: memory decodes each split once;"
        " disk reads the records of each batch, and needs little memory. The"
        " batches are the same.",
    )
    train_sequences: str = setting(
        STORED,
        group=_DATA,
        choices=TRAIN_SEQUENCES,
        help="Sequences to train on: those stored in the training split, or"
        " fresh ones, composed endlessly from its digits (needs MNIST's"
        " files).",
    )
    model: str = setting(
        models.AUTO,
        group=_MODEL,
        help="Network to train: slot_resnet, slot_resnet_fine, sequence_reader,"
        " seed_cnn, or your own as package.module:function; auto is slot_resnet"
        " for digits in cells of equal size, and sequence_reader otherwise.",
    )
    ensemble_size: int = setting(
        1,
        group=_MODEL,
        minimum=1,
        help="Number of networks to train side by side, from different initial"
        " weights; their probabilities are averaged.",
    )
    precision: str = setting(
        "float32",
        group=_MODEL,
        choices=PRECISIONS,
        help="Keras dtype policy of the computation; mixed_float16 scales the"
        " loss.",
    )
    epochs: int | None = setting(
        None,
        group=_TRAINING,
        default_help=_RECIPE,
        minimum=1,
        help="Number of passes over the training split.",
    )
    max_steps: int | None = setting(
        None,
        group=_TRAINING,
        minimum=1,
        help="Maximum number of steps, if the epochs have more.",
    )
    global_batch_size: int = setting(
        128,
        group=_TRAINING,
        minimum=1,
        help="Number of images per step over all replicas.",
    )
    learning_rate: float | None = setting(
        None,
        group=_TRAINING,
        default_help=_RECIPE,
        above=0,
        help="Peak learning rate.",
    )
    distortion: float | None = setting(
        None,
        group=_TRAINING,
        default_help=_RECIPE,
        minimum=0,
        help="Strength of the random distortion of training images, in pixels"
        " of a digit's 28x28 cell; 0 for no distortion.",
    )
    seed: int = setting(
        0,
        group=_TRAINING,
        minimum=0,
        maximum=2**32 - 1,
        help="Determines initial weights, the order of examples and all other"
        " random choices.",
    )
    validate_every_steps: int | None = setting(
        None,
        group=_TRAINING,
        default_help="an epoch",
        minimum=1,
        help="Number of steps between validations.",
    )
    strategy: str = setting(
        "mirrored",
        group=_DEVICES,
        choices=STRATEGIES,
        affects_result=False,
        help="How to distribute training: on one device, on all GPUs of this"
        " machine (or its CPU), or on several machines.",
    )
    workers: str | None = setting(
        None,
        group=_DEVICES,
        default_help="those of TF_CONFIG or SLURM",
        affects_result=False,
        help="host:port of each worker of a multi_worker run, separated by"
        " commas; the first one writes the run directory.",
    )
    worker_index: int | None = setting(
        None,
        group=_DEVICES,
        minimum=0,
        affects_result=False,
        help="Which of --workers this process is, from 0.",
    )
    virtual_devices: int = setting(
        0,
        group=_DEVICES,
        minimum=0,
        maximum=MAX_VIRTUAL_DEVICES,
        affects_result=False,
        help="Number of logical devices to split the CPU into, to try several"
        " replicas without GPUs; 0 to use the existing devices.",
    )
    workdir: str | None = setting(
        None,
        group=_OUTPUT,
        default_help="below `runs/`, named after the settings",
        affects_result=False,
        help="Run directory.",
    )
    log_every_steps: int = setting(
        20,
        group=_OUTPUT,
        minimum=1,
        affects_result=False,
        help="Number of steps between lines of training metrics; also the"
        " maximum number of steps per call into TensorFlow.",
    )
    checkpoint_every_steps: int = setting(
        500,
        group=_OUTPUT,
        minimum=1,
        affects_result=False,
        help="Largest number of steps between checkpoints. Each validation is"
        " followed by a checkpoint as well.",
    )
    checkpoint_every_seconds: float = setting(
        60.0,
        group=_OUTPUT,
        above=0,
        affects_result=False,
        help="Largest number of seconds between checkpoints, checked after"
        " every call into TensorFlow.",
    )
    profile: str | None = setting(
        None,
        group=_OUTPUT,
        affects_result=False,
        help="Steps to profile for TensorBoard, such as 100:120.",
    )

    def __post_init__(self) -> None:
        settings.check(self)
        models.check_name(self.model)
        if self.virtual_devices and self.strategy == MULTI_WORKER:
            raise InputError(
                "virtual_devices must be 0 with --strategy=multi_worker, got"
                f" {self.virtual_devices}: each worker uses its GPUs, or its"
                " CPU as one device; start more workers"
            )
        if (self.workers is None) != (self.worker_index is None):
            raise InputError(
                "workers and worker_index must be set together, got"
                f" {self.workers!r} and {self.worker_index}"
            )
        if self.workers is not None and self.strategy != MULTI_WORKER:
            raise InputError(
                f"workers needs --strategy={MULTI_WORKER}, got"
                f" {self.strategy!r}"
            )
        self._parse_profile()

    def _parse_profile(self) -> tuple[int, int] | None:
        if self.profile is None:
            return None
        match = re.fullmatch(r"(\d+):(\d+)", self.profile)
        if not match or int(match[1]) >= int(match[2]):
            raise InputError(
                "profile must be start:stop, two steps such as 100:120, got"
                f" {self.profile!r}"
            )
        return int(match[1]), int(match[2])

    @property
    def profile_steps(self) -> tuple[int, int] | None:
        """The steps after which the profile starts and stops."""
        return self._parse_profile()

    def check_replicas(self, num_replicas: int) -> None:
        """Checks that the global batch can be divided among the replicas.

        Raises:
          InputError: If it can't.
        """
        rest = self.global_batch_size % num_replicas
        if rest:
            raise InputError(
                "global_batch_size must be a multiple of the number of"
                f" replicas, got {self.global_batch_size} for {num_replicas};"
                f" try {self.global_batch_size - rest + num_replicas}"
            )

    @property
    def recipe(self) -> Recipe:
        """The recipe of the model, overridden by the values that are set here.

        Not for "auto": `resolve` first.

        Raises:
          InputError: If the model is the user's own and can't be imported.
        """
        own = {
            field.name: value
            for field in dataclasses.fields(Recipe)
            if (value := getattr(self, field.name, None)) is not None
        }
        return dataclasses.replace(
            models.find_network(self.model).recipe, **own
        )

    @property
    def run_path(self) -> pathlib.Path:
        """The run directory: `workdir`, or one named after the settings."""
        if self.workdir is not None:
            return pathlib.Path(self.workdir).expanduser()
        content = json.dumps(self.result_settings(), sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        name = re.sub("[/:]", "-", f"{self.dataset}-{self.model}")
        return pathlib.Path("runs", f"{name}-{digest}")

    def resolve(self, dataset: str, layout: str) -> Self:
        """Fills in dataset, model, the recipe's values, and the run directory.

        Args:
          dataset: Full TFDS name of the dataset to train on.
          layout: Its layout; see `seqdigits_tfds.SeqDigitsConfig`.
        """
        resolved = dataclasses.replace(
            self,
            dataset=dataset,
            model=models.choose_name(self.model, layout),
            data_dir=_make_absolute(self.data_dir),
            manual_dir=_make_absolute(self.manual_dir),
        )
        recipe = {
            name: value
            for name, value in dataclasses.asdict(resolved.recipe).items()
            if hasattr(self, name)
        }
        resolved = dataclasses.replace(resolved, **recipe)
        return dataclasses.replace(resolved, workdir=str(resolved.run_path))

    def result_settings(self) -> dict[str, Any]:
        """Returns the settings that determine the result, by name."""
        return {
            name: getattr(self, name)
            for name, description in settings.describe(type(self)).items()
            if description.affects_result
        }


def _make_absolute(path: str | None) -> str | None:
    """Returns a local path that does not depend on the current directory."""
    if path is None or "://" in path:
        return path
    return os.path.abspath(os.path.expanduser(path))
