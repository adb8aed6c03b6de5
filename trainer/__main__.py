"""Trains a model that reads images of several digits in a row.

  python -m trainer --strategy=mirrored

The same command resumes a run that was stopped. The flags by topic:

{flags}
"""

import sys
from collections.abc import Sequence

from absl import app, flags, logging

from seqdigits_tfds import InputError
from seqdigits_tfds.terminal import quiet_tensorflow

with quiet_tensorflow():
    from trainer import settings
    from trainer.config import TrainConfig
    from trainer.distribution.collectives import LostWorkerError
    from trainer.train import train_and_evaluate

settings.define_flags(TrainConfig)
flags.adopt_module_key_flags(settings)
flags.DEFINE_string("train_source", None, "Renamed to --train_sequences.")
__doc__ = str(__doc__).format(flags=settings.make_help(TrainConfig))


def main(argv: Sequence[str]) -> None:
    """Trains with the settings given as flags."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    if flags.FLAGS["train_source"].present:
        raise InputError(
            "--train_source was renamed; use --train_sequences=stored instead"
            " of --train_source=records, and --train_sequences=fresh instead"
            " of --train_source=recomposed"
        )
    if not flags.FLAGS["verbosity"].present:
        # TFDS warns about every directory that it is going to create.
        logging.set_verbosity(logging.ERROR)
    try:
        train_and_evaluate(TrainConfig(**settings.read_flags(TrainConfig)))
    except LostWorkerError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
