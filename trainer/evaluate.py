"""Evaluates a trained model on any split of a dataset of its shape.

`python -m trainer.evaluate --workdir=... --dataset=... --split=...`

Prints the metrics, writes them to the run directory's evaluations/ as JSON, and
adds them to its report.
"""

import json
import pathlib
from collections.abc import Sequence

from absl import app, flags, logging

from seqdigits_tfds import InputError
from seqdigits_tfds.terminal import quiet_tensorflow

with quiet_tensorflow():
    import tensorflow as tf

    from trainer.data import dataset
    from trainer.data.sequences import FEATURES, ExampleShape, read_glyph_ids
    from trainer.data.splits import open_split
    from trainer.distribution.strategy import make_strategy
    from trainer.model import models
    from trainer.model.inference import predict_split
    from trainer.model.metrics import compute_metrics
    from trainer.model.steps import make_predict_step
    from trainer.report.finished_run import EVALUATIONS
    from trainer.report.page import write_report
    from trainer.run import console
    from trainer.run.directory import read_config
    from trainer.run.files import explain_write_errors, write_atomically

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
_JSON = flags.DEFINE_bool("json", False, "Print the metrics as JSON.")


def main(argv: Sequence[str]) -> None:
    """Evaluates the model on the split that the flags name."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    logging.set_verbosity(logging.ERROR)
    workdir = pathlib.Path(_WORKDIR.value).expanduser()
    run = read_config(workdir)
    manual_dir = _MANUAL_DIR.value
    if not manual_dir and tf.io.gfile.isdir(run.manual_dir or ""):
        manual_dir = run.manual_dir
    builder = dataset.choose_dataset(
        # TFDS's full name is a/b/1.0.0, but `tfds.builder` takes a/b:1.0.0.
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
    expected = ExampleShape.from_model(model)
    found = ExampleShape.from_dataset(builder)
    if found != expected:
        raise InputError(
            f"dataset must have the model's shape, {expected}, got {name} with"
            f" {found}"
        )
    predictions = predict_split(
        strategy,
        make_predict_step(strategy, model),
        open_split(builder, _SPLIT.value, FEATURES),
        _SPLIT.value,
    )
    metrics = compute_metrics(
        predictions.logits,
        predictions.labels,
        read_glyph_ids(builder, _SPLIT.value),
    )
    content = {"dataset": name, "split": _SPLIT.value} | metrics.as_dict()
    if _JSON.value:
        print(json.dumps(content))
    else:
        console.print_metrics(f"{_SPLIT.value} of {name}", metrics)
    file = f"{name.replace('/', '-')}-{_SPLIT.value}.json"
    path = workdir / EVALUATIONS / file
    with explain_write_errors(path):
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(content, indent=2).encode())
    write_report(workdir)


if __name__ == "__main__":
    app.run(main)
