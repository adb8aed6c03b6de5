"""The settings of one training run."""

import dataclasses
import hashlib
import json
import math
import pathlib
import re
from typing import Any

from seqdigits_tfds import InputError
from trainer.models import MODELS
from trainer.optimizer import Recipe
from trainer.sources import INPUTS, RECORDS, TRAIN_SOURCES
from trainer.strategy import MAX_VIRTUAL_DEVICES, MULTI_WORKER, STRATEGIES

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")

_WITHOUT_EFFECT = (
    "data_dir",
    "manual_dir",
    "workdir",
    "log_every_steps",
    "checkpoint_every_steps",
    "checkpoint_every_seconds",
    "profile",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Validated settings; None stands for "what the model's recipe says".

    Attributes:
      dataset: TFDS name such as "seqdigits/mnist", or "auto": MNIST where it
        can be had, the embedded digits otherwise.
      data_dir: TFDS data directory; None for TFDS's default.
      manual_dir: Directory with MNIST's four files; None for TFDS's default.
      workdir: Run directory; None for one below `runs/` named after the
        settings.
      strategy: One of `STRATEGIES`.
      virtual_devices: Logical devices to split the CPU into; 0 for none.
      model: One of `MODELS`.
      ensemble_size: Models to train side by side, at least 1; what they read
        is averaged.
      epochs: Passes over `train`, at least 1.
      max_steps: Where to end before the epochs do, at least 1; None for no
        such limit.
      global_batch_size: Examples per step over all replicas, at least 1.
      learning_rate: Peak learning rate, above 0.
      clip_norm: Longest gradient of the global batch, above 0; longer ones are
        scaled down.
      seed: Determines initial weights, order of examples, augmentation, fresh
        sequences and dropout; 0..2**32 - 1.
      precision: One of `PRECISIONS`, a Keras dtype policy; float16 with loss
        scaling.
      jit: Whether XLA compiles the forward and backward pass; with the strategy
        one_device only.
      input: One of `sources.INPUTS`: splits decoded in memory and shuffled as a
        whole, or read from their records and shuffled in windows.
      train_source: One of `sources.TRAIN_SOURCES`: the sequences of `train`, or
        fresh ones, of the digits of its pool, without end.
      distortion: Strength of the random distortion of training images, as
        `augmentation.Distortion.strength`, at least 0; 0 for none.
      validate_every_steps: Steps between two validations; None: an epoch.
      log_every_steps: Steps between two lines of training metrics.
      checkpoint_every_steps: Steps between two checkpoints at most.
      checkpoint_every_seconds: Seconds between two checkpoints at most, looked
        at after each call into TensorFlow. Each epoch ends with one, too.
      profile: "start:stop", the steps to profile for TensorBoard; None: none.

    Raises:
      InputError: On an impossible value.
    """

    dataset: str = "auto"
    data_dir: str | None = None
    manual_dir: str | None = None
    workdir: str | None = None
    strategy: str = "mirrored"
    virtual_devices: int = 0
    model: str = "slot_resnet"
    ensemble_size: int = 1
    epochs: int | None = None
    max_steps: int | None = None
    global_batch_size: int = 128
    learning_rate: float | None = None
    clip_norm: float | None = None
    seed: int = 0
    precision: str = "float32"
    jit: bool = False
    input: str = "memory"
    train_source: str = RECORDS
    distortion: float | None = None
    validate_every_steps: int | None = None
    log_every_steps: int = 20
    checkpoint_every_steps: int = 500
    checkpoint_every_seconds: float = 60.0
    profile: str | None = None

    def __post_init__(self) -> None:
        self._check_choice("strategy", STRATEGIES)
        self._check_choice("model", MODELS)
        self._check_choice("precision", PRECISIONS)
        self._check_choice("input", INPUTS)
        self._check_choice("train_source", TRAIN_SOURCES)
        self._check_at_least("virtual_devices", 0)
        for name in (
            "ensemble_size",
            "epochs",
            "max_steps",
            "global_batch_size",
            "validate_every_steps",
            "log_every_steps",
            "checkpoint_every_steps",
        ):
            self._check_at_least(name, 1)
        for name in ("learning_rate", "clip_norm", "checkpoint_every_seconds"):
            self._check_above_0(name)
        if self.distortion is not None and not 0 <= self.distortion < math.inf:
            raise InputError(
                f"distortion must be a number of at least 0, got"
                f" {self.distortion}"
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(
                f"seed must be at least 0 and below 2**32, got {self.seed}"
            )
        if self.virtual_devices > MAX_VIRTUAL_DEVICES:
            raise InputError(
                f"virtual_devices must be at most {MAX_VIRTUAL_DEVICES}, got"
                f" {self.virtual_devices}: they share this machine's CPU"
            )
        if self.virtual_devices and self.strategy == MULTI_WORKER:
            raise InputError(
                f"virtual_devices must be 0 with the strategy {MULTI_WORKER},"
                f" got {self.virtual_devices}: each worker uses its GPUs, or"
                " its CPU as one device; start more workers"
            )
        if self.jit and self.strategy != "one_device":
            raise InputError(
                "jit needs --strategy=one_device, got"
                f" {self.strategy}: replicas exchange batch statistics within"
                " the step, which TensorFlow can't compile with XLA"
            )
        reason = MODELS[self.model].why_no_jit
        if self.jit and reason:
            raise InputError(
                f"jit needs another model than {self.model}: {reason}"
            )
        self._parse_profile()

    def _check_choice(self, name: str, choices: Any) -> None:
        value = getattr(self, name)
        if value not in choices:
            raise InputError(
                f"{name} must be one of {', '.join(choices)}, got {value!r}"
            )

    def _check_at_least(self, name: str, minimum: int) -> None:
        value = getattr(self, name)
        if value is not None and value < minimum:
            raise InputError(f"{name} must be at least {minimum}, got {value}")

    def _check_above_0(self, name: str) -> None:
        value = getattr(self, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} must be a number above 0, got {value}")

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
        """The steps before which a profile begins and ends."""
        return self._parse_profile()

    def check_replicas(self, num_replicas: int) -> None:
        """Checks that so many replicas can share a global batch.

        Raises:
          InputError: If they can't.
        """
        rest = self.global_batch_size % num_replicas
        if rest:
            raise InputError(
                "global_batch_size must be a multiple of the number of"
                f" replicas, got {self.global_batch_size} for {num_replicas};"
                f" try {self.global_batch_size - rest + num_replicas}"
            )

    def count_steps(self, num_examples: int) -> int:
        """Returns the number of steps of a run.

        Args:
          num_examples: Size of the training split.

        Raises:
          InputError: If a batch is more than an epoch.
        """
        if self.global_batch_size > num_examples:
            raise InputError(
                "global_batch_size must be at most the number of training"
                f" examples, {num_examples}, got {self.global_batch_size}"
            )
        steps = -(-self.recipe.epochs * num_examples // self.global_batch_size)
        return min(steps, self.max_steps or steps)

    def find_validations(
        self, num_examples: int, total_steps: int
    ) -> list[int]:
        """Returns the steps after which to validate, the last one included.

        Args:
          num_examples: Size of the training split.
          total_steps: As `count_steps` gives it.
        """
        if self.validate_every_steps:
            spacing = self.validate_every_steps * self.global_batch_size
        else:
            spacing = num_examples
        ends = range(spacing, total_steps * self.global_batch_size, spacing)
        steps = (-(-end // self.global_batch_size) for end in ends)
        return [*(s for s in steps if s < total_steps), total_steps]

    def find_break(self, step: int, end: int) -> int:
        """Returns up to which step training can go on without a break.

        Args:
          step: Steps done.
          end: The last step, above `step`.
        """
        periods = (self.log_every_steps, self.checkpoint_every_steps)
        breaks = [end, *(step + n - step % n for n in periods)]
        breaks += [s for s in self.profile_steps or () if s > step]
        return min(breaks)

    @property
    def recipe(self) -> Recipe:
        """The model's recipe, with what these settings say otherwise."""
        recipe = MODELS[self.model].recipe
        return dataclasses.replace(
            recipe,
            epochs=self.epochs or recipe.epochs,
            learning_rate=self.learning_rate or recipe.learning_rate,
            clip_norm=self.clip_norm or recipe.clip_norm,
            distortion=(
                recipe.distortion
                if self.distortion is None
                else self.distortion
            ),
        )

    @property
    def run_path(self) -> pathlib.Path:
        """The run directory: `workdir`, or one that the settings decide."""
        if self.workdir is not None:
            return pathlib.Path(self.workdir).expanduser()
        settings = json.dumps(self.what_decides(), sort_keys=True)
        digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
        name = self.dataset.replace("/", "-")
        return pathlib.Path("runs", f"{name}-{self.model}-{digest}")

    def resolve(self, dataset: str) -> "TrainConfig":
        """Fills in what was left open.

        Args:
          dataset: Full TFDS name of the dataset to train on.
        """
        resolved = dataclasses.replace(
            self,
            dataset=dataset,
            epochs=self.recipe.epochs,
            learning_rate=self.recipe.learning_rate,
            clip_norm=self.recipe.clip_norm,
            distortion=self.recipe.distortion,
        )
        return dataclasses.replace(resolved, workdir=str(resolved.run_path))

    def what_decides(self) -> dict[str, Any]:
        """Returns the settings that decide the result: not where things are."""
        settings = dataclasses.asdict(self)
        return {k: v for k, v in settings.items() if k not in _WITHOUT_EFFECT}
