"""Makes `tf.distribute` strategies by name."""

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from seqdigits_tfds import InputError
from trainer.distribution import slurm
from trainer.distribution.cluster import SLURM, Cluster, check_port_free

MAX_VIRTUAL_DEVICES = 16
"""Virtual devices share one CPU: they are for trying things, not for speed."""

MULTI_WORKER = "multi_worker"


def _make_one_device(
    devices: Sequence[str], _: Cluster | None
) -> tf.distribute.Strategy:
    return tf.distribute.OneDeviceStrategy((devices or _find_devices())[0])


def _make_mirrored(
    devices: Sequence[str], _: Cluster | None
) -> tf.distribute.Strategy:
    return _make_mirrored_once(tuple(devices or _find_devices()))


@functools.cache
def _make_mirrored_once(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    # Two strategies over the same CPUs would use the same keys for different
    # collective operations, which would then fail.
    return tf.distribute.MirroredStrategy(devices)


def _find_devices() -> list[str]:
    """Returns the names of all GPUs, or of all CPUs if there is no GPU."""
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]


def _make_multi_worker(
    _: Sequence[str], cluster: Cluster | None
) -> tf.distribute.Strategy:
    if cluster is None:
        raise ValueError(f"{MULTI_WORKER} needs a cluster")
    check_port_free(cluster)
    if cluster.source == SLURM:
        gpus = tf.config.list_physical_devices("GPU")
        own = slurm.share_gpus(os.environ, len(gpus))
        tf.config.set_visible_devices(gpus[own.start : own.stop], "GPU")
    print(
        f"Worker {cluster.address} is waiting for all {len(cluster)} workers"
        f" from {cluster.source} ...",
        file=sys.stderr,
        flush=True,
    )
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster.tasks),
        task_type=cluster.job,
        task_id=cluster.index,
        rpc_layer="grpc",
    )
    # The default communication is NCCL between GPUs and gRPC between CPUs.
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)


STRATEGIES: Mapping[
    str, Callable[[Sequence[str], Cluster | None], tf.distribute.Strategy]
] = {
    "one_device": _make_one_device,
    "mirrored": _make_mirrored,
    MULTI_WORKER: _make_multi_worker,
}
"""The functions that make the strategies, by name. Each takes the devices to
use, empty for the strategy's default, and the cluster, or None."""


def make_strategy(
    name: str, virtual_devices: int = 0, cluster: Cluster | None = None
) -> tf.distribute.Strategy:
    """Makes the strategy `name`.

    Args:
      name: One of `STRATEGIES`.
      virtual_devices: Number of logical devices to split the CPU into, and to
        use instead of GPUs, 1..`MAX_VIRTUAL_DEVICES`; 0 to use the existing
        devices.
      cluster: The workers, for `MULTI_WORKER`, which waits until all of them
        have started.

    Raises:
      InputError: If the CPU can't be split because TensorFlow has already used
        a device, or if this worker's port is in use.
    """
    devices: list[str] = []
    if virtual_devices:
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * virtual_devices
        try:
            tf.config.set_logical_device_configuration(cpu, parts)
        except RuntimeError as error:
            raise InputError(
                f"virtual_devices={virtual_devices} must be set before"
                " TensorFlow first uses a device, and this process has used"
                " one; start a new process"
            ) from error
        devices = [f"/device:CPU:{i}" for i in range(virtual_devices)]
    return STRATEGIES[name](devices, cluster)
