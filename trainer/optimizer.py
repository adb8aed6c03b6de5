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
      clip_norm: The global batch's gradient is scaled down to this norm where
        it is longer; None: never.
    """

    epochs: int
    learning_rate: float
    warmup_fraction: float | None
    clip_norm: float | None = None


def make_optimizer(
    recipe: Recipe, total_steps: int, scale_loss: bool = False
) -> keras.optimizers.Optimizer:
    """Makes the Adam optimizer of a run of `total_steps` steps.

    Args:
      recipe: Says what the learning rate is, and how it changes.
      total_steps: At least 1.
      scale_loss: Whether to scale the loss so that float16 gradients neither
        vanish nor overflow.
    """
    learning_rate = recipe.learning_rate
    if recipe.warmup_fraction is not None:
        warmup_steps = round(recipe.warmup_fraction * total_steps)
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            warmup_target=recipe.learning_rate,
            warmup_steps=warmup_steps,
            decay_steps=total_steps - warmup_steps,
        )
    optimizer = keras.optimizers.Adam(learning_rate)
    if scale_loss:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
