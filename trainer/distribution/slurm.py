"""Finds the workers of a job step from the variables that SLURM's srun sets."""

import re
from collections.abc import Iterator, Mapping

from seqdigits_tfds import InputError

_FIRST_PORT, _NUM_PORTS = 16_384, 16_384
"""Ports below those that systems give to outgoing connections."""

_PORTS_PER_JOB = 16

_RANK = "SLURM_PROCID"
_HOSTS = "SLURM_STEP_NODELIST"
_TASKS = "SLURM_STEP_TASKS_PER_NODE"


def is_step(environment: Mapping[str, str]) -> bool:
    """Whether srun has started this process."""
    return _HOSTS in environment


def find_workers(environment: Mapping[str, str]) -> tuple[list[str], int]:
    """Finds the workers of a job step: one for each task.

    Ports follow from the job's id, so that jobs on the same host seldom meet.
    (TensorFlow's SlurmClusterResolver sorts the hosts by name, so that n10
    stands before n2, where SLURM counts tasks in the order of the list.)

    Args:
      environment: The variables of a process that srun has started.

    Returns:
      host:port of each task, in the order of their ranks; and this task's rank.

    Raises:
      InputError: If the step can't be used.
    """
    if int(environment.get("SLURM_HET_SIZE", 1)) > 1:
        raise InputError(
            "all workers must be tasks of one job, but this SLURM job is"
            " heterogeneous (SLURM_HET_SIZE is"
            f" {environment['SLURM_HET_SIZE']}); submit one with a single"
            " component"
        )
    distribution = environment.get("SLURM_DISTRIBUTION", "block")
    if distribution.split(":")[0] not in ("block", "pack", "nopack"):
        raise InputError(
            "tasks must be numbered node by node, got SLURM_DISTRIBUTION="
            f"{distribution}; start them with srun --distribution=block"
        )
    try:
        hosts = list(expand_hosts(environment[_HOSTS]))
        counts = list(expand_counts(environment[_TASKS]))
        job, rank = int(environment["SLURM_JOB_ID"]), int(environment[_RANK])
        if len(hosts) != len(counts):
            raise ValueError(f"{len(hosts)} hosts, {len(counts)} counts")
    except (KeyError, ValueError) as error:
        names = ("SLURM_JOB_ID", _RANK, _HOSTS, _TASKS)
        found = ", ".join(f"{n}={environment.get(n)!r}" for n in names)
        raise InputError(
            "expected the variables of a SLURM step, got"
            f" {found} ({error}); start the workers with srun, or say who they"
            " are with --workers and --worker_index"
        ) from error
    port = _FIRST_PORT + job * _PORTS_PER_JOB % _NUM_PORTS
    workers = [
        f"{host}:{port + index}"
        for host, count in zip(hosts, counts, strict=True)
        for index in range(count)
    ]
    local = int(environment.get("SLURM_LOCALID", 0))
    if rank >= len(workers) or not workers[rank].endswith(f":{port + local}"):
        raise InputError(
            f"expected task {rank} of {len(workers)} to be number {local} on"
            f" its host, with {environment[_TASKS]} tasks on"
            f" {environment[_HOSTS]}; start the workers with srun"
            " --distribution=block"
        )
    return workers, rank


def share_gpus(environment: Mapping[str, str], num_gpus: int) -> range:
    """Divides a host's GPUs among its tasks, if SLURM has not.

    Args:
      environment: The variables of a process that srun has started.
      num_gpus: Number of GPUs that this process sees.

    Returns:
      Which of them this task should use.

    Raises:
      InputError: If there are fewer GPUs than tasks.
    """
    on_host = int(environment.get("SLURM_GPUS_ON_NODE", 0))
    counts = list(expand_counts(environment[_TASKS]))
    num_tasks = counts[int(environment.get("SLURM_NODEID", 0))]
    if num_gpus == 0 or num_tasks == 1 or num_gpus < on_host:
        return range(num_gpus)
    each = num_gpus // num_tasks
    if not each:
        raise InputError(
            f"{num_tasks} tasks on this host need a GPU each, and there are"
            f" {num_gpus}; ask SLURM for --gpus-per-task=1, or for fewer tasks"
        )
    local = int(environment.get("SLURM_LOCALID", 0))
    return range(each * local, each * (local + 1))


def expand_hosts(text: str) -> Iterator[str]:
    """Lists the hosts of a SLURM host list, such as "a,rack[1-2]n[08-10,12]".

    Raises:
      ValueError: If the list is malformed.
    """
    # Commas between hosts, not those in brackets.
    for pattern in re.split(r",(?![^\[]*\])", text):
        prefix, bracket, rest = pattern.partition("[")
        ranges, closed, suffix = rest.partition("]")
        if not pattern or bool(bracket) != bool(closed) or "]" in prefix:
            raise ValueError(f"{pattern!r} is not a host list")
        ends = list(expand_hosts(suffix)) if suffix else [""]
        numbers = _expand_ranges(ranges) if bracket else [""]
        yield from (prefix + n + end for n in numbers for end in ends)


def _expand_ranges(text: str) -> Iterator[str]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        for number in range(int(first), int(last or first) + 1):
            # Leading zeros are part of the names.
            yield str(number).zfill(len(first))


def expand_counts(text: str) -> Iterator[int]:
    """Lists the numbers in SLURM's short form, such as "3(x2),1".

    Raises:
      ValueError: If the list is malformed.
    """
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if not match:
            raise ValueError(f"{part!r} is not a number of tasks")
        yield from [int(match[1])] * int(match[2] or 1)
