"""Evaluates a trained model on any split of a dataset of its shape.

`python -m trainer.evaluate --workdir=... --dataset=... --split=...`
"""

import json
import pathlib
from collections.abc import Sequence

from absl import app, flags, logging

from seqdigits_tfds import InputError
from trainer.startup import quiet_tensorflow

with quiet_tensorflow():
    from trainer import console, dataset, models, splits
    from trainer.evaluation import evaluate
    from trainer.run_directory import read_config
    from trainer.steps import make_predict_step
    from trainer.strategy import make_strategy

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run directory of the trainer.", required=True
)
_DATASET = flags.DEFINE_string(
    "dataset", None, "A config of seqdigits (default: the run's)."
)
_SPLIT = flags.DEFINE_string("split", "test", "One of its splits.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS data directory.")
_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Directory with MNIST's four files, plain or .gz."
)
_JSON = flags.DEFINE_bool("json", False, "Print the figures as JSON.")


def main(argv: Sequence[str]) -> None:
    """Evaluates as the flags say."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    logging.set_verbosity(logging.ERROR)
    workdir = pathlib.Path(_WORKDIR.value).expanduser()
    run = read_config(workdir)
    manual_dir = _MANUAL_DIR.value or run.manual_dir
    builder = dataset.choose_dataset(
        # As TFDS wants a version to be given.
        _DATASET.value or ":".join(run.dataset.rsplit("/", 1)),
        _DATA_DIR.value or run.data_dir,
        manual_dir,
    ).builder
    dataset.prepare_dataset(builder, manual_dir)
    name = builder.info.full_name
    if _SPLIT.value not in builder.info.splits:
        raise InputError(
            f"split must be one of {', '.join(builder.info.splits)} of {name},"
            f" got {_SPLIT.value!r}"
        )
    strategy = make_strategy("mirrored")
    with strategy.scope():
        model = models.load(workdir / "model.keras")
    wanted, found = models.get_shape(model), dataset.get_shape(builder)
    if found != wanted:
        raise InputError(
            f"dataset must be of the model's shape, {wanted}, got {name} of"
            f" {found}"
        )
    evaluation, _, _ = evaluate(
        strategy,
        make_predict_step(strategy, model),
        splits.load_split(builder, _SPLIT.value),
        _SPLIT.value,
    )
    if _JSON.value:
        content = {"dataset": name, "split": _SPLIT.value}
        print(json.dumps(content | evaluation.as_dict()))
    else:
        console.print_evaluation(f"{_SPLIT.value} of {name}", evaluation)


if __name__ == "__main__":
    app.run(main)
