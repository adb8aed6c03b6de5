"""What feeding costs: steps with the real pipeline against one fixed batch.

Both run the same compiled function on the same device, in turn; the fixed batch
is there already, so that its steps are all computation.
"""

import json
import statistics
import time
from collections.abc import Iterator, Sequence

import tensorflow as tf
import tensorflow_datasets as tfds
from absl import app, flags

from trainer import dataset, sources
from trainer.config import TrainConfig
from trainer.input_pipeline import make_train_dataset
from trainer.learner import Learner
from trainer.strategy import make_strategy

_DATASET = flags.DEFINE_string(
    "dataset", "seqdigits/optdigits", "A prepared config of seqdigits."
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS data directory.")
_MODEL = flags.DEFINE_string("model", TrainConfig().model, "What to train.")
_INPUT = flags.DEFINE_string("input", TrainConfig().input, "How to stream.")
_ROUNDS = flags.DEFINE_integer("rounds", 15, "Measurements of each.")
_STEPS = flags.DEFINE_integer("steps", 20, "Steps in a measurement.")


def main(argv: Sequence[str]) -> None:
    """Measures, and prints milliseconds a step and the ratio of medians."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    config = TrainConfig(
        dataset=_DATASET.value,
        strategy="one_device",
        model=_MODEL.value,
        input=_INPUT.value,
    )
    strategy = make_strategy(config.strategy)
    builder = tfds.builder(config.dataset, data_dir=_DATA_DIR.value)
    split = sources.INPUTS[config.input](builder, "train")
    total_steps = 2 * (_ROUNDS.value + 1) * _STEPS.value
    learner = Learner(config, strategy, dataset.get_shape(builder), total_steps)

    def make_iterator(fixed: bool) -> Iterator:
        def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
            batches = make_train_dataset(
                split,
                config.global_batch_size,
                config.seed,
                context=context,
            )
            return batches.take(1).cache().repeat() if fixed else batches

        return iter(strategy.distribute_datasets_from_function(make))

    def measure(batches: Iterator) -> float:
        begin = time.perf_counter()
        done = learner.train_steps(
            batches,
            tf.constant(_STEPS.value),
            tf.constant((0.0, 0.0)),
            tf.constant(0.0),
        )
        done["sums"].numpy()
        return 1e3 * (time.perf_counter() - begin) / _STEPS.value

    contestants = {
        "pipeline": make_iterator(False),
        "fixed": make_iterator(True),
    }
    for batches in contestants.values():
        measure(batches)  # Compiles; fills the buffers.
    times: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for _ in range(_ROUNDS.value):
        for name in order:
            times[name].append(measure(contestants[name]))
        order.reverse()
    medians = {name: statistics.median(t) for name, t in times.items()}
    print(
        json.dumps(
            {
                "dataset": config.dataset,
                "model": config.model,
                "input": config.input,
                "global_batch_size": config.global_batch_size,
                "rounds": _ROUNDS.value,
                "milliseconds_per_step": medians,
                "ratio": medians["pipeline"] / medians["fixed"],
            }
        )
    )


if __name__ == "__main__":
    app.run(main)
