"""Trains a model that reads images of several digits in a row.

  python -m trainer --strategy=mirrored

The same command goes on with a run that was stopped. Flags:

  what to read    dataset, data_dir, manual_dir, input, train_source
  what to train   model, ensemble_size, precision, jit
  how to train    epochs, max_steps, global_batch_size, learning_rate,
                  clip_norm, distortion, seed
  on what         strategy, virtual_devices
  what to keep    workdir, checkpoint_every_steps, checkpoint_every_seconds,
                  validate_every_steps, log_every_steps, profile
"""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags, logging

from trainer.startup import quiet_tensorflow

with quiet_tensorflow():
    from trainer.cluster import LostWorkerError
    from trainer.config import PRECISIONS, TrainConfig
    from trainer.loop import train_and_evaluate
    from trainer.models import MODELS
    from trainer.sources import INPUTS, TRAIN_SOURCES
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
    "ensemble_size",
    _DEFAULTS.ensemble_size,
    "Models to train side by side; what they read is averaged.",
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
flags.DEFINE_float(
    "clip_norm",
    None,
    "Scale longer gradients down to this norm (default: the model's).",
)
flags.DEFINE_integer(
    "seed",
    _DEFAULTS.seed,
    "Determines initial weights, order of examples and all other chance.",
)
flags.DEFINE_string(
    "precision",
    _DEFAULTS.precision,
    f"Precision of the computation: {', '.join(PRECISIONS)}.",
)
flags.DEFINE_bool(
    "jit",
    _DEFAULTS.jit,
    "Compile the forward and backward pass with XLA (one_device only).",
)
flags.DEFINE_string(
    "input",
    _DEFAULTS.input,
    f"How to stream the splits: {', '.join(INPUTS)}. In memory they are"
    " shuffled as a whole; from records, in windows, with little memory.",
)
flags.DEFINE_string(
    "train_source",
    _DEFAULTS.train_source,
    f"What to train on: {', '.join(TRAIN_SOURCES)}. The sequences of the"
    " training split, or its digits in fresh sequences without end.",
)
flags.DEFINE_float(
    "distortion",
    None,
    "How far to distort training images at random, in pixels of a digit's 28x28"
    " cell; 0: not at all (default: the model's).",
)
flags.DEFINE_integer(
    "validate_every_steps",
    None,
    "Steps between two validations (default: an epoch).",
)
flags.DEFINE_integer(
    "log_every_steps",
    _DEFAULTS.log_every_steps,
    "Steps between two lines of training metrics.",
)
flags.DEFINE_integer(
    "checkpoint_every_steps",
    _DEFAULTS.checkpoint_every_steps,
    "Steps between two checkpoints at most.",
)
flags.DEFINE_float(
    "checkpoint_every_seconds",
    _DEFAULTS.checkpoint_every_seconds,
    "Seconds between two checkpoints at most.",
)
flags.DEFINE_string(
    "profile",
    None,
    "Steps to profile for TensorBoard, start:stop (default: none).",
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
    try:
        train_and_evaluate(TrainConfig(**settings))
    except LostWorkerError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
