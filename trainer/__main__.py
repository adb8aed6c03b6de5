"""Command line of the trainer: flags -> `TrainConfig` -> training."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from absl import app, flags, logging

from trainer.startup import hidden_stderr

# Errors only; an explicit setting in the environment is kept.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

with hidden_stderr():
    import tensorflow as tf

    # Looks for GPUs, which is told at length where there is none.
    tf.config.list_physical_devices()

    from trainer.config import PRECISIONS, TrainConfig
    from trainer.loop import train_and_evaluate
    from trainer.models import MODELS
    from trainer.strategy import MAX_VIRTUAL_DEVICES, STRATEGIES

_DEFAULTS = TrainConfig()

flags.DEFINE_string(
    "dataset",
    _DEFAULTS.dataset,
    "What to train on: seqdigits/mnist, seqdigits/optdigits, another prepared"
    " config of seqdigits, or auto: MNIST where it can be had, optdigits"
    " otherwise.",
)
flags.DEFINE_string("data_dir", None, "TFDS data directory.")
flags.DEFINE_string(
    "manual_dir", None, "Directory with MNIST's four files, plain or .gz."
)
flags.DEFINE_string(
    "workdir", None, "Run directory (default: one below runs/)."
)
flags.DEFINE_string(
    "strategy",
    _DEFAULTS.strategy,
    f"How to distribute training: {', '.join(STRATEGIES)}.",
)
flags.DEFINE_integer(
    "virtual_devices",
    _DEFAULTS.virtual_devices,
    "Split the CPU into this many logical devices, to try several replicas"
    f" without a GPU (at most {MAX_VIRTUAL_DEVICES}; 0: don't).",
)
flags.DEFINE_string(
    "model", _DEFAULTS.model, f"What to train: {', '.join(MODELS)}."
)
flags.DEFINE_integer(
    "epochs", None, "Passes over the training split (default: the model's)."
)
flags.DEFINE_integer("max_steps", None, "End after so many steps at most.")
flags.DEFINE_integer(
    "global_batch_size",
    _DEFAULTS.global_batch_size,
    "Images per step over all replicas.",
)
flags.DEFINE_float(
    "learning_rate", None, "Peak learning rate (default: the model's)."
)
flags.DEFINE_integer(
    "seed",
    _DEFAULTS.seed,
    "Determines initial weights, order of examples and dropout.",
)
flags.DEFINE_string(
    "precision",
    _DEFAULTS.precision,
    f"Precision of the computation: {', '.join(PRECISIONS)}.",
)
flags.DEFINE_integer(
    "log_every_steps",
    _DEFAULTS.log_every_steps,
    "Steps between two lines of training metrics.",
)


def main(argv: Sequence[str]) -> None:
    """Trains as the flags say."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    if not flags.FLAGS["verbosity"].present:
        # TFDS warns of every folder that it is about to fill.
        logging.set_verbosity(logging.ERROR)
    settings: dict[str, Any] = {
        field.name: flags.FLAGS[field.name].value
        for field in dataclasses.fields(TrainConfig)
    }
    train_and_evaluate(TrainConfig(**settings))


if __name__ == "__main__":
    app.run(main)
