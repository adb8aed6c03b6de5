"""The settings of one training run."""

import dataclasses
import hashlib
import json
import math
import pathlib
from typing import Any

from seqdigits_tfds import InputError
from trainer.models import MODELS
from trainer.optimizer import Recipe
from trainer.strategy import MAX_VIRTUAL_DEVICES, STRATEGIES

PRECISIONS = ("float32", "mixed_bfloat16")

_WHERE = ("data_dir", "manual_dir", "workdir", "log_every_steps")


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
      epochs: Passes over `train`, at least 1.
      max_steps: Where to end before the epochs do, at least 1; None for no
        such limit.
      global_batch_size: Examples per step over all replicas, at least 1.
      learning_rate: Peak learning rate, above 0.
      seed: Determines initial weights, order of examples and dropout;
        0..2**32 - 1.
      precision: One of `PRECISIONS`, a Keras dtype policy.
      log_every_steps: Steps between two lines of training metrics.

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
    epochs: int | None = None
    max_steps: int | None = None
    global_batch_size: int = 128
    learning_rate: float | None = None
    seed: int = 0
    precision: str = "float32"
    log_every_steps: int = 20

    def __post_init__(self) -> None:
        self._check_choice("strategy", STRATEGIES)
        self._check_choice("model", MODELS)
        self._check_choice("precision", PRECISIONS)
        self._check_at_least("virtual_devices", 0)
        for name in (
            "epochs",
            "max_steps",
            "global_batch_size",
            "log_every_steps",
        ):
            self._check_at_least(name, 1)
        if not 0 <= self.seed < 2**32:
            raise InputError(
                f"seed must be at least 0 and below 2**32, got {self.seed}"
            )
        if self.virtual_devices > MAX_VIRTUAL_DEVICES:
            raise InputError(
                f"virtual_devices must be at most {MAX_VIRTUAL_DEVICES}, got"
                f" {self.virtual_devices}: they share this machine's CPU"
            )
        if self.learning_rate is not None and not (
            math.isfinite(self.learning_rate) and self.learning_rate > 0
        ):
            raise InputError(
                "learning_rate must be a number above 0, got"
                f" {self.learning_rate}"
            )

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

    @property
    def recipe(self) -> Recipe:
        """The model's recipe, with what these settings say otherwise."""
        recipe = MODELS[self.model].recipe
        return dataclasses.replace(
            recipe,
            epochs=self.epochs or recipe.epochs,
            learning_rate=self.learning_rate or recipe.learning_rate,
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
        )
        return dataclasses.replace(resolved, workdir=str(resolved.run_path))

    def what_decides(self) -> dict[str, Any]:
        """Returns the settings that decide the result: not where things are."""
        settings = dataclasses.asdict(self)
        return {k: v for k, v in settings.items() if k not in _WHERE}
