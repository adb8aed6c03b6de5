"""What a run tells the person who started it, on standard output."""

import keras
import numpy as np

from seqdigits_tfds import BLANK
from trainer.config import TrainConfig
from trainer.metrics import Evaluation
from trainer.sources import Splits


def print_start(
    config: TrainConfig,
    num_replicas: int,
    model: keras.Model,
    data: Splits,
    total_steps: int,
    start_step: int,
) -> None:
    """Prints what is about to be trained."""
    sizes = ", ".join(
        f"{len(data[name]):,} {name}"
        for name in ("train", "validation", "test")
    )
    size = config.ensemble_size
    name = f"{size} x {config.model}" if size > 1 else config.model
    _print_block(
        {
            "dataset": f"{config.dataset} ({sizes})",
            "model": f"{name}, {model.count_params():,} parameters",
            "strategy": f"{config.strategy}, {num_replicas} replica(s)",
            "batch": f"{config.global_batch_size} images over all replicas",
            "length": f"{config.epochs} epochs, {total_steps:,} steps"
            + (f", going on after {start_step:,}" if start_step else ""),
            "precision": config.precision,
            "workdir": str(config.run_path),
        }
    )


def print_validation(name: str, evaluation: Evaluation) -> None:
    """Prints the line that ends an epoch."""
    print(f"{name}: validation {_describe(evaluation)}", flush=True)


def describe_answers(labels: np.ndarray, predictions: np.ndarray) -> list[str]:
    """Writes "actual, predicted" for each sequence.

    Args:
      labels: int [n, positions].
      predictions: int [n, positions].
    """
    return [
        f"{to_text(actual)}, {to_text(predicted)}"
        for actual, predicted in zip(labels, predictions, strict=True)
    ]


def print_samples(logits: np.ndarray, labels: np.ndarray) -> None:
    """Prints actual and predicted sequences.

    Args:
      logits: float32 [n, positions, classes].
      labels: int [n, positions].
    """
    predictions = logits.argmax(axis=-1)
    rows = [
        (to_text(actual), to_text(predicted))
        for actual, predicted in zip(labels, predictions, strict=True)
    ]
    print("\nSamples of the test split:\n  actual   predicted")
    for actual, predicted in rows:
        mark = "" if actual == predicted else "  wrong"
        print(f"  {actual:<8} {predicted:<8}{mark}")


def print_end(
    config: TrainConfig, num_steps: int, evaluation: Evaluation
) -> None:
    """Prints the final figures and where the files are."""
    print_evaluation(
        f"test of {config.dataset}, after {num_steps:,} steps",
        evaluation,
        files=f"{config.run_path}/report/index.html, results.json,"
        " model.keras, ...",
    )


def print_evaluation(what: str, evaluation: Evaluation, **more: str) -> None:
    """Prints the figures of a split.

    Args:
      what: The split.
      evaluation: Its figures.
      **more: Lines to add, by what they begin with.
    """
    by_length = ", ".join(
        f"{length}: {accuracy:.4f}"
        for length, accuracy in evaluation.by_length.items()
    )
    _print_block(
        {
            "split": f"{what}, {evaluation.num_images:,} images",
            "sequence accuracy": f"{evaluation.sequence_accuracy:.4f}",
            "individual accuracy": f"{evaluation.individual_accuracy:.4f}",
            "by length": by_length,
            **more,
        }
    )


def print_warning(message: str) -> None:
    """Prints a line that must not be overlooked."""
    rule = "!" * 72
    print(f"{rule}\n{message}\n{rule}", flush=True)


def _describe(evaluation: Evaluation) -> str:
    return (
        f"loss {evaluation.loss:.4f}, sequence accuracy"
        f" {evaluation.sequence_accuracy:.4f}, individual accuracy"
        f" {evaluation.individual_accuracy:.4f}"
    )


def _print_block(entries: dict[str, str]) -> None:
    width = max(map(len, entries))
    lines = (f"  {name:<{width}}  {text}" for name, text in entries.items())
    print("", *lines, "", sep="\n", flush=True)


def to_text(sequence: np.ndarray) -> str:
    """Writes a sequence: a blank inside it, a mistake, shows as "_"."""
    digits = ("_" if label == BLANK else str(label) for label in sequence)
    return "".join(digits).rstrip("_") or "(blank)"
