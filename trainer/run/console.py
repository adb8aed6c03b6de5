"""The output of a run on standard output."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from trainer.config import TrainConfig
from trainer.data.sequences import to_text
from trainer.data.splits import Split
from trainer.model.metrics import Metrics


def print_start(
    config: TrainConfig,
    num_replicas: int,
    changes: dict[str, Any],
    model: keras.Model,
    chosen_for: str | None,
    splits: Mapping[str, Split],
    total_steps: int,
    start_step: int,
) -> None:
    """Prints the settings and sizes of a run before it trains.

    Args:
      config: The resolved settings.
      num_replicas: Number of replicas.
      changes: What has changed since the run was stopped, with the values
        before and now.
      model: The model.
      chosen_for: The layout for which it was chosen, if the user has not chosen
        it.
      splits: The splits.
      total_steps: Number of steps of the run.
      start_step: Number of steps done.
    """
    changed = ", ".join(
        f"{name} {now} (was {before})"
        for name, (before, now) in changes.items()
    )
    sizes = ", ".join(
        f"{len(splits[name]):,} {name}"
        for name in ("train", "validation", "test")
    )
    size = config.ensemble_size
    name = f"{size} x {config.model}" if size > 1 else config.model
    _print_block(
        {
            "dataset": f"{config.dataset} ({sizes})",
            "model": f"{name}, {model.count_params():,} parameters"
            + (f", chosen for {chosen_for} digits" if chosen_for else ""),
            "strategy": f"{config.strategy}, {num_replicas} replica(s)",
            "batch": f"{config.global_batch_size} images over all replicas",
            "length": f"{config.epochs} epochs, {total_steps:,} steps"
            + (f", resuming after step {start_step:,}" if start_step else ""),
            **({"changed": changed} if changed else {}),
            "precision": config.precision,
            "workdir": str(config.run_path),
        }
    )


def print_validation(name: str, metrics: Metrics) -> None:
    """Prints the metrics of a validation, in one line."""
    print(
        f"{name}: validation loss {metrics.loss:.4f}, sequence accuracy"
        f" {metrics.sequence_accuracy:.4f}, individual accuracy"
        f" {metrics.individual_accuracy:.4f}",
        flush=True,
    )


def print_samples(logits: np.ndarray, labels: np.ndarray) -> None:
    """Prints actual and predicted sequences.

    Args:
      logits: float32 [n, positions, classes].
      labels: int [n, positions].
    """
    print("\nSamples of the test split:\n  actual   predicted")
    for actual, predicted in zip(labels, logits.argmax(axis=-1), strict=True):
        mark = "" if (actual == predicted).all() else "  wrong"
        texts = [to_text(row, logits.shape[-1]) for row in (actual, predicted)]
        print("  {:<8} {:<8}{}".format(*texts, mark))


def print_end(
    config: TrainConfig,
    num_steps: int,
    metrics: Metrics,
    other_splits: Mapping[str, Mapping[str, Any]],
) -> None:
    """Prints the metrics on the test splits, and the paths of the files.

    Args:
      config: The resolved settings.
      num_steps: Number of steps of the best checkpoint.
      metrics: The metrics on `test`.
      other_splits: The metrics on each other split, as dicts.
    """
    print_metrics(
        f"test of {config.dataset}, after {num_steps:,} steps",
        metrics,
        **{
            name: _format(other, "sequence_accuracy")
            for name, other in other_splits.items()
        },
        files=f"{config.run_path}/report/index.html, results.json,"
        " model.keras, ...",
    )


def print_metrics(split: str, metrics: Metrics, **more: str) -> None:
    """Prints the metrics on a split.

    Args:
      split: Description of the split.
      metrics: The metrics.
      **more: Further lines, by name.
    """
    by_length = ", ".join(
        f"{length}: {accuracy:.4f}"
        for length, accuracy in metrics.by_length.items()
    )
    values = metrics.as_dict()
    _print_block(
        {
            "split": f"{split}, {metrics.num_images:,} images",
            "sequence accuracy": _format(values, "sequence_accuracy"),
            "individual accuracy": _format(values, "individual_accuracy"),
            "by length": by_length,
            **more,
        }
    )


def print_warning(message: str) -> None:
    """Prints a warning between two lines of exclamation marks."""
    rule = "!" * 72
    print(f"{rule}\n{message}\n{rule}", flush=True)


def _format(metrics: Mapping[str, Any], name: str) -> str:
    """Formats an accuracy with its confidence interval, if there is one."""
    text = f"{metrics[name]:.4f}"
    if "intervals" in metrics:
        low, high = metrics["intervals"][name]
        text += f" (95 %: {low:.4f} to {high:.4f})"
    return text


def _print_block(entries: dict[str, str]) -> None:
    width = max(map(len, entries))
    lines = (f"  {name:<{width}}  {text}" for name, text in entries.items())
    print("", *lines, "", sep="\n", flush=True)
