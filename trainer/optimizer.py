"""How a model is trained: recipe -> optimizer."""

import dataclasses
import math

import keras
import tensorflow as tf

ADAM, MUON = "adam", "muon"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is trained unless told otherwise.

    Attributes:
      epochs: Passes over the training split.
      optimizer: `ADAM` or `MUON`.
      learning_rate: The peak where it is not constant.
      warmup_fraction: Share of all steps in which the learning rate rises
        linearly from 0, before it falls to 0 along a cosine; None: constant.
      distortion: As `augmentation.Distortion.strength`; 0: none.
      clip_norm: The global batch's gradient is scaled down to this norm where
        it is longer; None: never.
    """

    epochs: int
    optimizer: str
    learning_rate: float
    warmup_fraction: float | None
    distortion: float = 0.0
    clip_norm: float | None = None


class ConvMuon(keras.optimizers.Muon):
    """Muon for the kernels of convolutions, Adam for everything else.

    A step of Muon is the momentum of the gradient with all its singular values
    made about equal, so that a kernel learns in all directions alike (Jordan et
    al., "Muon: an optimizer for hidden layers", 2024). Keras's own does that
    for matrices and leaves kernels, which have four axes, to Adam. Here a
    kernel [height, width, in, out] is taken as a matrix [height * width * in,
    out]. Its step has the size of one of Adam's: 0.2 in the root mean square
    for a learning rate of 1 (Liu et al., "Muon is scalable for LLM training",
    arXiv 2502.16982).

    Args:
      learning_rate: For the kernels: a number or a schedule. A fifth of it is
        Adam's.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    ) -> None:
        super().__init__(
            learning_rate,
            adam_lr_ratio=0.2,
            weight_decay=None,
            adam_weight_decay=None,
            # Adam's usual 1e-7 makes much of differences in rounding.
            epsilon=1e-4,
            rms_rate=None,  # `zeropower_via_newtonschulz5` scales instead.
        )

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) != 4

    def zeropower_via_newtonschulz5(
        self, x: tf.Tensor, steps: int
    ) -> tf.Tensor:
        """As in Keras, for a kernel; and scaled, which needs the matrix."""
        matrix = tf.reshape(x, (-1, x.shape[-1]))
        step = super().zeropower_via_newtonschulz5(matrix, steps)
        scale = 0.2 * math.sqrt(max(matrix.shape))
        return tf.reshape(scale * step, x.shape)


_OPTIMIZERS = {ADAM: keras.optimizers.Adam, MUON: ConvMuon}


def make_optimizer(
    recipe: Recipe, total_steps: int, scale_loss: bool = False
) -> keras.optimizers.Optimizer:
    """Makes the optimizer of a run of `total_steps` steps.

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
    optimizer = _OPTIMIZERS[recipe.optimizer](learning_rate)
    if scale_loss:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
