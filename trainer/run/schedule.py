"""The schedule of a run: its length, validations and pauses."""

import dataclasses
from typing import Self

from seqdigits_tfds import InputError
from trainer.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The steps of a run, counted from 1; 0 is the start.

    Attributes:
      num_examples: Number of examples in an epoch.
      global_batch_size: Number of examples per step.
      total_steps: Number of steps of the run.
      examples_per_validation: Number of examples between validations.
      periods: Numbers of steps; training pauses at multiples of each.
      extra_breaks: Further steps at which training pauses.
    """

    num_examples: int
    global_batch_size: int
    total_steps: int
    examples_per_validation: int
    periods: tuple[int, ...]
    extra_breaks: tuple[int, ...] = ()

    @classmethod
    def from_config(cls, config: TrainConfig, num_examples: int) -> Self:
        """Makes the schedule of a run.

        Args:
          config: Its settings.
          num_examples: Number of examples in the training split.

        Raises:
          InputError: If a batch is larger than an epoch.
        """
        batch_size = config.global_batch_size
        if batch_size > num_examples:
            raise InputError(
                "global_batch_size must be at most the number of training"
                f" examples, {num_examples}, got {batch_size}"
            )
        steps = -(-config.recipe.epochs * num_examples // batch_size)
        return cls(
            num_examples=num_examples,
            global_batch_size=batch_size,
            total_steps=min(steps, config.max_steps or steps),
            examples_per_validation=(
                config.validate_every_steps * batch_size
                if config.validate_every_steps
                else num_examples
            ),
            periods=(config.log_every_steps, config.checkpoint_every_steps),
            extra_breaks=config.profile_steps or (),
        )

    @property
    def validations(self) -> list[int]:
        """The steps that are followed by a validation, including the last."""
        spacing, size = self.examples_per_validation, self.global_batch_size
        ends = range(spacing, self.total_steps * size, spacing)
        steps = (-(-end // size) for end in ends)
        return [*(s for s in steps if s < self.total_steps), self.total_steps]

    def next_break(self, step: int, end: int) -> int:
        """Returns the next step at which training pauses.

        Args:
          step: Number of steps done.
          end: Training pauses there at the latest; above `step`.
        """
        breaks = [end, *(step + n - step % n for n in self.periods)]
        return min(breaks + [s for s in self.extra_breaks if s > step])

    def epoch_of(self, step: int) -> int:
        """Returns the epoch, counted from 0, in which a step begins."""
        return (step - 1) * self.global_batch_size // self.num_examples
