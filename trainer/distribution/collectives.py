"""Communication between the workers of a run."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqdigits_tfds import InputError
from trainer.distribution.cluster import Cluster

_FAILURES = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""What a collective operation may raise when a worker is gone."""


class LostWorkerError(RuntimeError):
    """Another worker has ended or can't be reached."""


@contextlib.contextmanager
def detect_lost_workers(cluster: Cluster | None) -> Iterator[None]:
    """Turns the failure of a collective operation into a `LostWorkerError`.

    Args:
      cluster: The workers; None if there is only this process.

    Raises:
      LostWorkerError: If a collective operation fails in the block and there
        are other workers.
    """
    try:
        yield
    except (*_FAILURES, InputError) as error:
        # Creating variables is collective, too: there, the failure looks as if
        # the user's model were broken.
        failures = (error, error.__cause__)
        if cluster is None or not any(
            isinstance(failure, _FAILURES) for failure in failures
        ):
            raise
        raise LostWorkerError(
            f"worker {cluster.address} lost contact with another worker, which"
            " has probably ended; check its output, and start all workers"
            " again with the same commands: they resume from the last"
            " checkpoint"
        ) from error


def broadcast(
    strategy: tf.distribute.Strategy, values: Sequence[Any]
) -> list[np.ndarray]:
    """Sends the chief's values to all workers.

    Args:
      strategy: The strategy; its first replica is the chief's.
      values: Numbers and arrays that float64 can represent, with the same
        shapes on each worker.

    Returns:
      The chief's `values`, float64.
    """
    arrays = [np.asarray(value, np.float64) for value in values]
    flat = np.concatenate([array.ravel() for array in arrays])

    @tf.function
    def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
        def replica_fn() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            is_first = tf.equal(context.replica_id_in_sync_group, 0)
            own = tf.where(is_first, value, tf.zeros_like(value))
            return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

        return strategy.experimental_local_results(strategy.run(replica_fn))[0]

    flat = sum_over_replicas(tf.constant(flat)).numpy()
    ends = np.cumsum([array.size for array in arrays])
    return [
        part.reshape(array.shape)
        for part, array in zip(np.split(flat, ends[:-1]), arrays, strict=True)
    ]


def check_agreement(strategy: tf.distribute.Strategy, value: Any) -> None:
    """Checks that this worker has the same value as the chief.

    Args:
      strategy: The strategy.
      value: Settings and digests; must be serialisable as JSON.

    Raises:
      InputError: If the values differ.
    """
    text = json.dumps(value, sort_keys=True).encode()
    # 48 bits, which float64 represents exactly.
    digest = int(hashlib.sha256(text).hexdigest()[:12], 16)
    if broadcast(strategy, [digest])[0] != digest:
        raise InputError(
            "all workers must have the same settings and the same dataset, but"
            " this worker's differ from the chief's; start it with the chief's"
            " flags and records"
        )
