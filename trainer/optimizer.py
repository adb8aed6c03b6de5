"""How a model is trained: recipe -> optimizer."""

import dataclasses

import keras


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is trained unless told otherwise.

    Attributes:
      epochs: Passes over the training split.
      learning_rate: Adam's; the peak where it is not constant.
      warmup_fraction: Share of all steps in which the learning rate rises
        linearly from 0, before it falls to 0 along a cosine; None: constant.
    """

    epochs: int
    learning_rate: float
    warmup_fraction: float | None


def make_optimizer(
    recipe: Recipe, total_steps: int
) -> keras.optimizers.Optimizer:
    """Makes the Adam optimizer of a run of `total_steps` steps.

    Args:
      recipe: Says what the learning rate is, and how it changes.
      total_steps: At least 1.
    """
    if recipe.warmup_fraction is None:
        return keras.optimizers.Adam(recipe.learning_rate)
    warmup_steps = round(recipe.warmup_fraction * total_steps)
    return keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            warmup_target=recipe.learning_rate,
            warmup_steps=warmup_steps,
            decay_steps=total_steps - warmup_steps,
        )
    )
