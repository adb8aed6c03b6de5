"""Measures what the input pipeline adds to the time of a training step.

Compares steps on batches from the pipeline with steps on one repeated batch.
Both run the same compiled function on the same devices. The repeated batch is
always ready, so its steps consist of computation only.
"""

import functools
import pathlib
import time
from collections.abc import Iterator

from benchmarks.measuring import Comparison, measure_in_turn
from benchmarks.remote import RemoteObject
from benchmarks.tfds_build import MNIST, prepare_mnist

_STEPS_PER_MEASUREMENT = 20
_MEASUREMENTS_PER_ROUND = 3


def compare_steps(
    manual_dir: str, folder: pathlib.Path, rounds: int
) -> Iterator[Comparison]:
    """Compares training steps with and without the input pipeline.

    Args:
      manual_dir: Directory with MNIST's four files.
      folder: Directory for temporary data.
      rounds: A third of the number of measurements of each candidate.

    Yields:
      The comparison.
    """
    data_dir = prepare_mnist(manual_dir, folder, "tfrecord")
    num_measurements = _MEASUREMENTS_PER_ROUND * rounds
    repeated = "one repeated batch"
    candidates = {repeated: True, "the pipeline": False}
    # Each candidate takes one more, to compile and to fill the buffers.
    total_measurements = len(candidates) * (num_measurements + 1)
    with RemoteObject(
        Training, MNIST, data_dir, total_measurements * _STEPS_PER_MEASUREMENT
    ) as training:
        functions = {
            name: functools.partial(
                training.call, "measure", repeat_batch=repeat_batch
            )
            for name, repeat_batch in candidates.items()
        }
        measure_in_turn(functions, 1, "compilation")
        milliseconds = measure_in_turn(functions, num_measurements, "steps")
    yield Comparison(
        "step",
        "A training step of the default model, batch 128",
        "ms",
        milliseconds,
        repeated,
    )


class Training:
    """Trains the default model on all GPUs, or the CPU if there is no GPU.

    Args:
      dataset_name: TFDS name of the dataset.
      data_dir: TFDS data directory with the prepared dataset.
      total_steps: Number of steps of all measurements.
    """

    def __init__(
        self, dataset_name: str, data_dir: str, total_steps: int
    ) -> None:
        # Imported here, in the remote process.
        import tensorflow as tf
        import tensorflow_datasets as tfds

        from trainer.config import TrainConfig
        from trainer.data import make_train_dataset, open_split
        from trainer.data.dataset import find_layout
        from trainer.data.sequences import ExampleShape
        from trainer.distribution.strategy import make_strategy
        from trainer.run.learner import Learner

        builder = tfds.builder(dataset_name, data_dir=data_dir)
        layout = find_layout(builder)
        config = TrainConfig(strategy="mirrored").resolve(dataset_name, layout)
        strategy = make_strategy(config.strategy)
        shape = ExampleShape.from_dataset(builder)
        self._train_steps = Learner(
            config, strategy, shape, layout, total_steps
        ).train_steps
        self._arguments = {
            "num_steps": tf.constant(_STEPS_PER_MEASUREMENT),
            "sums": tf.constant((0.0, 0.0)),
            "stop": tf.constant(0.0),
        }
        split = open_split(builder, "train", ["image", "label"])

        def make_batches(
            context: tf.distribute.InputContext, *, repeat_batch: bool
        ) -> tf.data.Dataset:
            batches = make_train_dataset(
                split,
                config.global_batch_size,
                config.seed,
                context=context,
            )
            return batches.take(1).cache().repeat() if repeat_batch else batches

        self._iterators = {
            repeat_batch: iter(
                strategy.distribute_datasets_from_function(
                    functools.partial(make_batches, repeat_batch=repeat_batch)
                )
            )
            for repeat_batch in (False, True)
        }

    def measure(self, *, repeat_batch: bool) -> float:
        """Returns the mean time per step over 20 steps, in milliseconds.

        Args:
          repeat_batch: Whether to train on one repeated batch, instead of
            batches from the pipeline.
        """
        start = time.perf_counter()
        result = self._train_steps(
            self._iterators[repeat_batch], **self._arguments
        )
        result["sums"].numpy()  # Waits for the last step.
        return 1e3 * (time.perf_counter() - start) / _STEPS_PER_MEASUREMENT
