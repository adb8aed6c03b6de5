"""Training recipes, and their optimizers."""

import dataclasses
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqdigits_tfds import InputError

ADAM, MUON = "adam", "muon"

_NUMBERS: Mapping[str, Callable[[Any], float]] = {
    "epochs": int,
    "learning_rate": float,
    "distortion": float,
    "label_smoothing": float,
    "temperature": float,
}
"""The types of a recipe's numbers."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train a model.

    Each network has a default recipe; settings can override its values.

    Attributes:
      epochs: Number of passes over the training split.
      optimizer: `ADAM` or `MUON`.
      learning_rate: Peak learning rate.
      warmup_steps: Number of steps, at most half of the run, over which the
        learning rate rises linearly from 0, before it falls to 0 along a
        cosine; None for a constant learning rate.
      distortion: See `distortion.Distortion.strength`; 0 for no distortion.
      label_smoothing: Part of each label's probability, 0..1, that the training
        loss spreads over all classes (Szegedy et al., "Rethinking the Inception
        architecture for computer vision", CVPR 2016).
      temperature: The training loss divides the logits by it, above 0. Smoothed
        labels ask for small logits; a temperature above 1 gives back the
        confidence that the model deserves.

    Raises:
      InputError: If a value is not permitted.
    """

    epochs: int
    optimizer: str
    learning_rate: float
    warmup_steps: int | None
    distortion: float = 0.0
    label_smoothing: float = 0.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.optimizer not in (ADAM, MUON):
            raise InputError(
                f"optimizer must be one of {ADAM}, {MUON}, got"
                f" {self.optimizer!r}"
            )
        for name, kind in _NUMBERS.items():
            value = getattr(self, name)
            if not (
                isinstance(value, numbers.Real)
                and math.isfinite(value)
                and kind(value) == value
            ):
                words = "whole number" if kind is int else "number"
                raise InputError(f"{name} must be a {words}, got {value!r}")
            # NumPy's numbers can't be written as JSON.
            object.__setattr__(self, name, kind(value))
        steps = self.warmup_steps
        if steps is not None and (not isinstance(steps, int) or steps < 0):
            raise InputError(
                "warmup_steps must be None or a whole number of at least 0,"
                f" got {steps}"
            )
        if not 0 <= self.label_smoothing < 1 or self.temperature <= 0:
            raise InputError(
                "label_smoothing must be at least 0 and below 1, and"
                f" temperature above 0, got {self.label_smoothing} and"
                f" {self.temperature}"
            )


class ConvMuon(keras.optimizers.Optimizer):
    """Muon for the kernels of convolutions, Adam for all other variables.

    Muon orthogonalises the momentum of the gradient approximately: it makes all
    singular values about equal, so that a kernel learns equally fast in all
    directions (Jordan et al., "Muon: an optimizer for hidden layers", 2024). A
    kernel [height, width, in, out] is treated as a matrix [height * width * in,
    out]; Keras's own Muon only handles matrices and leaves kernels to Adam. The
    update is scaled to the size of Adam's, a root mean square of 0.2 at a
    learning rate of 1 (Liu et al., "Muon is scalable for LLM training", arXiv
    2502.16982).

    The constants of Muon are those of the cited papers and of Keras's Muon.

    Args:
      learning_rate: Learning rate of the kernels: a number or a schedule. The
        other variables use a fifth of it.
    """

    _MOMENTUM = 0.95
    _NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
    _NUM_NEWTON_SCHULZ_STEPS = 5
    _ADAM_LEARNING_RATE = 0.2
    _BETA_1, _BETA_2 = 0.9, 0.999
    # Adam's usual 1e-7 amplifies rounding differences between replica counts.
    _EPSILON = 1e-4

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    ) -> None:
        super().__init__(learning_rate, name="conv_muon")

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates a momentum for each variable, and Adam's velocities."""
        if self.built:
            return
        super().build(variables)
        self._momentums: list[keras.Variable] = []
        self._velocities: list[keras.Variable | None] = []
        for variable in variables:
            self._momentums.append(
                self.add_variable_from_reference(variable, name="momentum")
            )
            self._velocities.append(
                None
                if _is_kernel(variable)
                else self.add_variable_from_reference(variable, name="velocity")
            )

    def update_step(
        self,
        gradient: tf.Tensor,
        variable: keras.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Updates one variable; called by Keras."""
        # Private, but Keras's own optimizers use it, in the oldest and in the
        # newest supported version.
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        if velocity is None:
            self._update_kernel(gradient, variable, learning_rate, momentum)
        else:
            self._update_by_adam(
                gradient, variable, learning_rate, momentum, velocity
            )

    def _update_kernel(
        self,
        gradient: tf.Tensor,
        kernel: keras.Variable,
        learning_rate: tf.Tensor,
        momentum: keras.Variable,
    ) -> None:
        self.assign_add(
            momentum, ops.add(gradient, momentum * (self._MOMENTUM - 1))
        )
        # Nesterov's momentum.
        direction = ops.add(gradient, self._MOMENTUM * momentum)
        matrix = ops.reshape(direction, (-1, direction.shape[-1]))
        scale = 0.2 * math.sqrt(max(matrix.shape))
        update = ops.reshape(
            scale * self._orthogonalise(matrix), direction.shape
        )
        self.assign_sub(kernel, learning_rate * update)

    def _orthogonalise(self, x: tf.Tensor) -> tf.Tensor:
        """Makes the singular values of a matrix about equal, near 1."""
        a, b, c = self._NEWTON_SCHULZ
        is_tall = x.shape[0] > x.shape[1]
        if is_tall:  # Keeps the products small.
            x = ops.transpose(x)
        # The iteration needs singular values of at most 1.
        x = x / (ops.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
        for _ in range(self._NUM_NEWTON_SCHULZ_STEPS):
            gram = x @ ops.transpose(x)
            polynomial = b * gram + c * gram @ gram
            x = a * x + polynomial @ x
        return ops.transpose(x) if is_tall else x

    def _update_by_adam(
        self,
        gradient: tf.Tensor,
        variable: keras.Variable,
        learning_rate: tf.Tensor,
        momentum: keras.Variable,
        velocity: keras.Variable,
    ) -> None:
        step = ops.cast(self.iterations + 1, variable.dtype)
        beta_1_power = ops.power(ops.cast(self._BETA_1, variable.dtype), step)
        beta_2_power = ops.power(ops.cast(self._BETA_2, variable.dtype), step)
        rate = ops.cast(
            learning_rate * self._ADAM_LEARNING_RATE, variable.dtype
        )
        alpha = rate * ops.sqrt(1 - beta_2_power) / (1 - beta_1_power)
        self.assign_add(momentum, (gradient - momentum) * (1 - self._BETA_1))
        self.assign_add(
            velocity,
            (ops.square(gradient) - velocity) * (1 - self._BETA_2),
        )
        self.assign_sub(
            variable,
            momentum * alpha / (ops.sqrt(velocity) + self._EPSILON),
        )


def _is_kernel(variable: keras.Variable) -> bool:
    return len(variable.shape) == 4


_OPTIMIZERS = {ADAM: keras.optimizers.Adam, MUON: ConvMuon}


def make_optimizer(
    recipe: Recipe, total_steps: int, scale_loss: bool = False
) -> keras.optimizers.Optimizer:
    """Makes the optimizer of a run.

    Args:
      recipe: Determines the optimizer, its learning rate and the schedule.
      total_steps: Number of steps of the run, at least 1.
      scale_loss: Whether to scale the loss, so that float16 gradients neither
        underflow nor overflow.

    Returns:
      The optimizer, not yet built.
    """
    learning_rate = recipe.learning_rate
    if recipe.warmup_steps is not None:
        warmup_steps = min(recipe.warmup_steps, total_steps // 2)
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            warmup_target=recipe.learning_rate,
            warmup_steps=warmup_steps,
            decay_steps=total_steps - warmup_steps,
        )
    optimizer = _OPTIMIZERS[recipe.optimizer](learning_rate)
    if scale_loss:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
