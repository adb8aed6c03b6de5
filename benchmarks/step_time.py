"""What feeding costs: steps with the real pipeline against one fixed batch.

Both run the same compiled function on the same device; the fixed batch is there
already, so that its steps are all computation.
"""

import time

_NUM_STEPS = 20


class Training:
    """The default model in training, on all GPUs or the CPU.

    Args:
      dataset_name: TFDS name of the dataset.
      data_dir: Where it is prepared.
      num_measurements: How often `measure` will be called.
    """

    def __init__(
        self, dataset_name: str, data_dir: str, num_measurements: int
    ) -> None:
        import tensorflow as tf
        import tensorflow_datasets as tfds
        from trainer.augmentation import Distortion
        from trainer.input_pipeline import make_train_dataset
        from trainer.learner import Learner
        from trainer.strategy import make_strategy

        from trainer import dataset, sources
        from trainer.config import TrainConfig

        config = TrainConfig(dataset=dataset_name, strategy="mirrored")
        strategy = make_strategy(config.strategy)
        builder = tfds.builder(dataset_name, data_dir=data_dir)
        shape = dataset.get_shape(builder)
        self._arguments = (
            tf.constant(_NUM_STEPS),
            tf.constant((0.0, 0.0)),
            tf.constant(0.0),
        )
        total_steps = num_measurements * _NUM_STEPS
        self._train_steps = Learner(
            config, strategy, shape, total_steps
        ).train_steps
        split = sources.INPUTS[config.input](builder, "train")
        distortion = Distortion(shape.num_positions, config.recipe.distortion)

        def make_batches(
            context: tf.distribute.InputContext,
        ) -> tf.data.Dataset:
            return make_train_dataset(
                split,
                config.global_batch_size,
                config.seed,
                context=context,
                distortion=distortion,
            )

        self._iterators = {
            is_fixed: iter(strategy.distribute_datasets_from_function(make))
            for is_fixed, make in (
                (False, make_batches),
                (True, lambda c: make_batches(c).take(1).cache().repeat()),
            )
        }

    def measure(self, *, is_fixed: bool) -> float:
        """Returns milliseconds a step, over 20 steps.

        Args:
          is_fixed: Train on one batch over and over.
        """
        begin = time.perf_counter()
        done = self._train_steps(self._iterators[is_fixed], *self._arguments)
        done["sums"].numpy()
        return 1e3 * (time.perf_counter() - begin) / _NUM_STEPS
