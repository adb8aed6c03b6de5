"""The workers of a `multi_worker` run, as TF_CONFIG names them."""

import contextlib
import dataclasses
import hashlib
import json
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqdigits_tfds import InputError

_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type":'
    ' "worker", "index": 0}}'
)


class LostWorkerError(RuntimeError):
    """Another worker ended, or can't be reached any more."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All workers, and which one this is.

    Attributes:
      workers: For each job, "chief" or "worker", its tasks' host:port.
      job: This task's job.
      index: This task's place among those of its job.
    """

    workers: dict[str, list[str]]
    job: str
    index: int

    @property
    def address(self) -> str:
        """host:port of this task."""
        return self.workers[self.job][self.index]

    @property
    def is_chief(self) -> bool:
        """Whether this task is the one that writes the run directory."""
        return self.index == 0 and self.job == min(self.workers)

    def __len__(self) -> int:
        return sum(map(len, self.workers.values()))


def parse_tf_config(text: str | None) -> Cluster:
    """Reads what the environment variable TF_CONFIG says.

    Args:
      text: Its value, JSON; None if it is not set.

    Raises:
      InputError: If it does not say which workers there are, and which of them
        this is.
    """
    if not text:
        raise InputError(
            "strategy multi_worker needs the environment variable TF_CONFIG,"
            f" such as {_EXAMPLE}, and found none; set it, or use"
            " --strategy=mirrored on one machine"
        )
    try:
        content = json.loads(text)
        workers = {
            job: list(tasks) for job, tasks in content["cluster"].items()
        }
        task = content["task"]
        cluster = Cluster(workers, task["type"], task["index"])
        _check(cluster)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(
            f"TF_CONFIG must be JSON such as {_EXAMPLE}, got {text!r}: {reason}"
        ) from error
    return cluster


def _check(cluster: Cluster) -> None:
    unknown = set(cluster.workers) - {"chief", "worker"}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} take no part here")
    addresses = [a for tasks in cluster.workers.values() for a in tasks]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not 0 < int(port) < 2**16:
            raise ValueError(f"{address!r} is not host:port")
    if len(set(addresses)) < len(addresses):
        raise ValueError("two workers have one address")
    if len(cluster.workers.get("chief", [""])) != 1:
        raise ValueError("there must be one chief")
    tasks = cluster.workers.get(cluster.job, [])
    if cluster.index not in range(len(tasks)):
        raise ValueError(
            f"there is no task {cluster.index} among its {len(tasks)} of type"
            f" {cluster.job!r}"
        )


def check_port_free(cluster: Cluster) -> None:
    """Checks that this worker can listen where the others expect it.

    TensorFlow would wait, or share the port with its other user.

    Raises:
      InputError: If the port is taken.
    """
    port = int(cluster.address.rpartition(":")[2])
    with socket.socket() as probe:
        # As gRPC does: connections that are only fading away don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise InputError(
                f"TF_CONFIG gives this worker the port {port}, which can't be"
                f" listened on ({error.strerror}); end what uses it, or give"
                " all workers another TF_CONFIG"
            ) from error


@contextlib.contextmanager
def noticing_losses(cluster: Cluster | None) -> Iterator[None]:
    """Says what it means when a collective operation fails.

    Args:
      cluster: None if there is no other worker to lose.

    Raises:
      LostWorkerError: If one was lost within.
    """
    try:
        yield
    except (
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.FailedPreconditionError,
        tf.errors.InternalError,
        tf.errors.UnavailableError,
    ) as error:
        if cluster is None:
            raise
        raise LostWorkerError(
            f"worker {cluster.address} lost another worker, which must have"
            " ended; see its output, and start all workers again with the same"
            " commands: they go on from the last checkpoint"
        ) from error


def broadcast(
    strategy: tf.distribute.Strategy, values: Sequence[Any]
) -> list[np.ndarray]:
    """Gives the chief's values to all workers.

    Args:
      strategy: The strategy; its first replica is the chief's.
      values: Numbers and arrays that float64 can represent, of the same shapes
        on each worker.

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


def check_agreement(strategy: tf.distribute.Strategy, what: Any) -> None:
    """Checks that this worker has what the chief has.

    Args:
      strategy: The strategy.
      what: Settings and data that must not differ, as JSON can tell them.

    Raises:
      InputError: If they differ.
    """
    text = json.dumps(what, sort_keys=True).encode()
    digest = int(hashlib.sha256(text).hexdigest()[:12], 16)
    if broadcast(strategy, [digest])[0] != digest:
        raise InputError(
            "all workers must have the same settings and the same dataset, and"
            " this one's differ from the chief's; start it with the chief's"
            " flags, on the chief's records"
        )
