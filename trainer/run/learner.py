"""The learner: a model, its optimizer, and their compiled functions."""

import re

import keras
import numpy as np
import tensorflow as tf

from seqdigits_tfds import InputError
from trainer.config import TrainConfig
from trainer.data.randomness import seed_keras
from trainer.data.sequences import ExampleShape
from trainer.model import models
from trainer.model.distortion import Distortion, count_cells
from trainer.model.optimizer import make_optimizer
from trainer.model.steps import make_predict_step, make_train_steps


class Learner:
    """Creates all variables in a strategy's scope, and the compiled functions.

    Seeds Keras, sets its dtype policy, and enables deterministic ops for the
    whole process.

    Args:
      config: The resolved settings.
      strategy: The strategy.
      shape: The shape of the examples.
      layout: Their layout; see `seqdigits_tfds.SeqDigitsConfig`.
      total_steps: Number of steps of the run.

    Attributes:
      model: Maps images to logits.
      train_steps: From `make_train_steps`.
      predict_step: From `make_predict_step`.
    """

    def __init__(
        self,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
        shape: ExampleShape,
        layout: str,
        total_steps: int,
    ) -> None:
        seed_keras(config.seed)
        # Makes weights reproducible. On a CPU, no cost was measurable.
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
        # Without the counters in Keras's automatic names, which depend on what
        # the process has built before.
        self._variables = {
            f"{number}:{re.sub(r'_[0-9]+', '', variable.path)}": variable
            for number, variable in enumerate(
                [*self.model.variables, *self._optimizer.variables]
            )
        }
        self.train_steps = make_train_steps(
            strategy,
            members,
            self._optimizer,
            config.global_batch_size,
            Distortion(
                config.seed,
                count_cells(shape, layout),
                config.recipe.distortion,
            ),
            config.recipe.label_smoothing,
            config.recipe.temperature,
        )
        self.predict_step = make_predict_step(strategy, self.model)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimizer.learning_rate.numpy())

    def read_variables(self) -> dict[str, np.ndarray]:
        """Returns the values of all variables, by name."""
        return {
            # NumPy's files have no bfloat16; float32 holds its values exactly.
            name: variable.numpy().astype(
                "float32" if variable.dtype == "bfloat16" else variable.dtype,
                copy=False,
            )
            for name, variable in self._variables.items()
        }

    def assign_variables(self, values: dict[str, np.ndarray]) -> None:
        """Sets all variables, on all replicas.

        Args:
          values: From `read_variables`.

        Raises:
          InputError: If they belong to another model or optimizer.
        """
        shapes = {name: tuple(v.shape) for name, v in self._variables.items()}
        if {name: value.shape for name, value in values.items()} != shapes:
            raise InputError(
                "the checkpoint does not contain this version's variables;"
                " resume with the version that wrote it, or choose another"
                " --workdir"
            )
        for name, variable in self._variables.items():
            variable.assign(values[name])
