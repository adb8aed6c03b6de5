"""The workers of a `multi_worker` run: from flags, TF_CONFIG or SLURM."""

import dataclasses
import os
import socket

import tensorflow as tf

from seqdigits_tfds import InputError
from trainer.distribution import slurm

_CHIEF, _WORKER = "chief", "worker"

_TIMEOUT = 3.0
"""Seconds to wait for another worker's host."""

SLURM = "SLURM"
"""A cluster's source: its tasks share the hosts' GPUs as SLURM says."""

_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type":'
    ' "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All workers of a run, and which of them this process is.

    Attributes:
      tasks: The host:port of each task, by job, "chief" or "worker".
      job: This task's job.
      index: This task's index in its job.
      source: Where this is from: "TF_CONFIG", "--workers" or "SLURM".
    """

    tasks: dict[str, list[str]]
    job: str
    index: int
    source: str

    @property
    def address(self) -> str:
        """host:port of this task."""
        return self.tasks[self.job][self.index]

    @property
    def is_chief(self) -> bool:
        """Whether this task writes the run directory.

        The chief is the task of the job "chief" if there is one, and worker 0
        otherwise.
        """
        return self.index == 0 and (
            self.job == _CHIEF or _CHIEF not in self.tasks
        )

    def __len__(self) -> int:
        return sum(map(len, self.tasks.values()))


def find_cluster(
    workers: str | None = None, worker_index: int | None = None
) -> Cluster:
    """Finds the workers: in TF_CONFIG, in flags, or in SLURM's variables.

    The first of them that is set is taken.

    Args:
      workers: The value of `--workers`: host:port of each worker, separated by
        commas.
      worker_index: Which of them this process is.

    Raises:
      InputError: If none is set, or the first that is set can't be used.
    """
    if "TF_CONFIG" in os.environ:
        return _read_tf_config()
    if workers is not None and worker_index is not None:
        cluster = Cluster(
            {_WORKER: [w.strip() for w in workers.split(",")]},
            _WORKER,
            worker_index,
            "--workers",
        )
        try:
            _check(cluster)
        except ValueError as error:
            raise InputError(
                "--workers must be host:port of each worker, separated by"
                " commas, and --worker_index must count from 0, got"
                f" {workers!r} and {worker_index}: {error}"
            ) from error
        return cluster
    if slurm.is_step(os.environ):
        addresses, rank = slurm.find_workers(os.environ)
        return Cluster({_WORKER: addresses}, _WORKER, rank, SLURM)
    raise InputError(
        "--strategy=multi_worker needs the workers' addresses, and found none;"
        " set --workers=host1:2222,host2:2222 and --worker_index, or the"
        f" environment variable TF_CONFIG such as {_EXAMPLE}, or start the"
        " workers with SLURM's srun; or use --strategy=mirrored on a single"
        " machine"
    )


def _read_tf_config() -> Cluster:
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    try:
        tasks = resolver.cluster_spec().as_dict()
        if not tasks:
            raise ValueError("no workers are defined in it")
        cluster = Cluster(
            tasks, resolver.task_type, resolver.task_id, "TF_CONFIG"
        )
        _check(cluster)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "--strategy=multi_worker needs the environment variable TF_CONFIG"
            f" as JSON such as {_EXAMPLE}, but its value can't be used:"
            f" {' '.join(str(error).split())}; correct it, or use"
            " --strategy=mirrored on a single machine"
        ) from error
    return cluster


def _check(cluster: Cluster) -> None:
    unknown = set(cluster.tasks) - {_CHIEF, _WORKER}
    if unknown:
        raise ValueError(
            f"the job {', '.join(sorted(unknown))} is neither chief nor worker"
        )
    addresses = [a for tasks in cluster.tasks.values() for a in tasks]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise ValueError(f"{address!r} is not host:port")
    if len(set(addresses)) < len(addresses):
        raise ValueError("two workers have the same address")
    if len(cluster.tasks.get(_CHIEF, [""])) != 1:
        raise ValueError("there must be exactly one chief")
    tasks = cluster.tasks.get(cluster.job, [])
    if cluster.index not in range(len(tasks)):
        raise ValueError(
            f"there is no task {cluster.index!r} among the {len(tasks)} tasks"
            f" of type {cluster.job!r}"
        )


def check_port_free(cluster: Cluster) -> None:
    """Checks that this worker can listen on its port.

    TensorFlow would wait, or share the port with the other program.

    Raises:
      InputError: If the port is in use.
    """
    port = int(cluster.address.rpartition(":")[2])
    with socket.socket() as probe:
        # Like gRPC: connections in the state TIME_WAIT don't block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise InputError(
                f"can't listen on port {port}, which {cluster.source} gives to"
                f" this worker ({error.strerror}); stop the program that uses"
                " it, or give all workers other ports"
            ) from error


def reach(address: str) -> bool:
    """Tries to connect to another worker.

    Returns:
      Whether it is running. If not, its host refuses the connection.

    Raises:
      InputError: If the host is unknown, or does not answer.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _TIMEOUT).close()
    except ConnectionRefusedError:
        return False
    except OSError as error:
        raise InputError(
            f"{address} can't be reached ({error}); check the host's name, the"
            " network between the hosts, and the firewall's rule for the port"
        ) from error
    return True
