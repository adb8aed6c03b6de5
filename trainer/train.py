"""A complete training run, from the settings to the report.

`train_and_evaluate` lists the steps of a run in the order in which they happen.
"""

import contextlib
import functools
from typing import Any

import tensorflow_datasets as tfds

from seqdigits_tfds import Sequences
from seqdigits_tfds.configs import restore_config
from trainer.config import DISK, FRESH, TrainConfig
from trainer.data import GeneratedSplit, Split, dataset, open_split
from trainer.data.records import explain_read_errors
from trainer.data.sequences import FEATURES, ExampleShape, read_glyph_ids
from trainer.distribution.cluster import find_cluster
from trainer.distribution.collectives import (
    broadcast,
    check_agreement,
    detect_lost_workers,
)
from trainer.distribution.strategy import MULTI_WORKER, make_strategy
from trainer.model.models import AUTO
from trainer.report.page import write_report
from trainer.run import console
from trainer.run.directory import open_run
from trainer.run.learner import Learner
from trainer.run.loop import Loop
from trainer.run.predictions import SavedPredictions
from trainer.run.preemption import Preemption
from trainer.run.schedule import Schedule

_SPLITS = ("train", "validation", "test")

_NUM_SAMPLES = 10
"""Number of predictions printed at the end."""


def train_and_evaluate(config: TrainConfig) -> dict[str, Any]:
    """Trains and tests a model, or resumes an unfinished run.

    Args:
      config: The settings.

    Returns:
      The content of the run directory's results.json. If the run was already
      finished, workers other than the chief return an empty dict.

    Raises:
      InputError: If a setting or file can't be used.
      LostWorkerError: If another worker has ended or can't be reached.
      SystemExit: If this or another worker received SIGTERM or SIGINT; the run
        can be resumed.
    """
    cluster = None
    if config.strategy == MULTI_WORKER:
        cluster = find_cluster(config.workers, config.worker_index)
    is_chief = cluster is None or cluster.is_chief
    with contextlib.ExitStack() as stack:
        stack.enter_context(detect_lost_workers(cluster))
        stack.enter_context(explain_read_errors())
        strategy = make_strategy(
            config.strategy, config.virtual_devices, cluster
        )
        # After the strategy: TensorFlow's cluster installs a SIGTERM handler.
        preemption = stack.enter_context(Preemption())
        num_replicas = strategy.num_replicas_in_sync
        config.check_replicas(num_replicas)
        choice = dataset.choose_dataset(
            config.dataset, config.data_dir, config.manual_dir
        )
        if choice.warning:
            console.print_warning(choice.warning)
        builder = choice.builder
        layout = dataset.find_layout(builder)
        chosen_for = layout if config.model == AUTO else None
        config = config.resolve(builder.info.full_name, layout)
        run = stack.enter_context(open_run(config.run_path, is_chief))
        run.check(config)
        if broadcast(strategy, [run.results is not None])[0]:
            print(f"This run is already finished: see {run.results_path}.")
            return run.results or {}
        digests = dataset.prepare_dataset(builder, config.manual_dir)
        schedule = Schedule.from_config(
            config, builder.info.splits["train"].num_examples
        )
        splits = _open_splits(builder, config)
        run.lock_and_record(config, digests)
        run.history.tensorboard.write_settings(config.result_settings())
        check_agreement(strategy, [config.result_settings(), digests])
        learner = Learner(
            config,
            strategy,
            ExampleShape.from_dataset(builder),
            layout,
            schedule.total_steps,
        )
        glyph_ids_of = functools.cache(
            functools.partial(read_glyph_ids, builder)
        )
        loop = Loop(
            config,
            strategy,
            learner,
            splits,
            glyph_ids_of,
            schedule,
            run.history,
            preemption,
        )
        loop.restore()
        changes = run.record_segment(
            loop.position.step,
            {
                "strategy": config.strategy,
                "num_replicas": num_replicas,
                "num_workers": len(cluster) if cluster else 1,
                "num_shards": builder.info.splits["train"].num_shards,
                "input": config.input,
            },
        )
        console.print_start(
            config,
            num_replicas,
            changes,
            learner.model,
            chosen_for,
            splits,
            schedule.total_steps,
            loop.position.step,
        )
        loop.train()
        loop.restore_best(is_chief)
        predictions, metrics = loop.evaluate("test")
        best_step = loop.position.best_step
        results = {
            "dataset": config.dataset,
            "layout": layout,
            "split": "test",
            "step": best_step,
            **metrics.as_dict(),
            "other_splits": {
                name: loop.evaluate(name)[1].as_dict()
                for name in splits
                if name not in _SPLITS
            },
        }
        if is_chief:
            run.write_model(learner.model)
            SavedPredictions.select(
                predictions, glyph_ids_of("test"), splits["test"]
            ).save(run.predictions_path)
            write_report(run.path, results)
            # Last, because it marks the run as finished.
            run.write_results(results)
        console.print_samples(
            predictions.logits[:_NUM_SAMPLES], predictions.labels[:_NUM_SAMPLES]
        )
        console.print_end(config, best_step, metrics, results["other_splits"])
        return results


def _open_splits(
    builder: tfds.core.DatasetBuilder, config: TrainConfig
) -> dict[str, Split]:
    splits: dict[str, Split] = {}
    # The others are read once, at the end.
    for name in (*_SPLITS, *sorted(set(builder.info.splits) - set(_SPLITS))):
        if name == "train" and config.train_sequences == FRESH:
            sequences = Sequences(
                restore_config(builder.info, seed=config.seed),
                data_dir=builder.data_dir_root,
                manual_dir=config.manual_dir,
            )
            splits[name] = GeneratedSplit(
                sequences.make_examples, len(sequences), FEATURES
            )
        else:
            splits[name] = open_split(
                builder,
                name,
                FEATURES,
                from_disk=config.input == DISK or name not in _SPLITS,
            )
    return splits
