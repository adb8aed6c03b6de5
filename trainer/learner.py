"""What learns: the model, its optimizer, and their compiled functions."""

import keras
import numpy as np
import tensorflow as tf

from seqdigits_tfds import InputError
from trainer import models
from trainer.config import TrainConfig
from trainer.optimizer import make_optimizer
from trainer.steps import make_predict_step, make_train_steps


class Learner:
    """Builds all variables under a strategy, and what computes with them.

    Sets Keras's seed, its dtype policy and deterministic ops for the process.

    Args:
      config: The resolved settings.
      strategy: The strategy.
      shape: What goes into the model and what comes out.
      total_steps: Length of the run.

    Attributes:
      model: Takes images, gives logits.
      train_steps: From `make_train_steps`.
      predict_step: From `make_predict_step`.
    """

    def __init__(
        self,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
        shape: models.Shape,
        total_steps: int,
    ) -> None:
        keras.utils.set_random_seed(config.seed)
        # The same weights from the same seed, at no cost that shows on a CPU.
        tf.config.experimental.enable_op_determinism()
        keras.config.set_dtype_policy(config.precision)
        with strategy.scope():
            self.model, members = models.build(
                config.model, shape, config.ensemble_size
            )
            self._optimizer = make_optimizer(
                config.recipe,
                total_steps,
                scale_loss=config.precision == "mixed_float16",
            )
            self._optimizer.build(members.trainable_variables)
        self._variables = {
            f"{number}:{variable.path}": variable
            for number, variable in enumerate(
                [*self.model.variables, *self._optimizer.variables]
            )
        }
        self.train_steps = make_train_steps(
            strategy,
            members,
            self._optimizer,
            config.global_batch_size,
            clip_norm=config.recipe.clip_norm,
            jit=config.jit,
        )
        self.predict_step = make_predict_step(strategy, self.model)

    @property
    def learning_rate(self) -> float:
        """The next step's."""
        return float(self._optimizer.learning_rate.numpy())

    def read_variables(self) -> dict[str, np.ndarray]:
        """Returns the values of all variables, by name."""
        return {name: v.numpy() for name, v in self._variables.items()}

    def assign_variables(self, values: dict[str, np.ndarray]) -> None:
        """Sets all variables, on all replicas.

        Args:
          values: As `read_variables` returned them.

        Raises:
          InputError: If they are another model's.
        """
        shapes = {name: tuple(v.shape) for name, v in self._variables.items()}
        if {name: value.shape for name, value in values.items()} != shapes:
            raise InputError(
                "the checkpoint must hold this program's variables, and holds"
                " others; go on with the version of the program that wrote it,"
                " or choose another --workdir"
            )
        for name, variable in self._variables.items():
            variable.assign(values[name])
