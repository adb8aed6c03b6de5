"""Names of distribution strategies -> `tf.distribute` strategies."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from seqdigits_tfds import InputError

MAX_VIRTUAL_DEVICES = 16
"""Virtual devices share one CPU: they are for trying things, not for speed."""


def _make_one_device(devices: Sequence[str]) -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU")
    default = gpus[0].name if gpus else "/CPU:0"
    return tf.distribute.OneDeviceStrategy(devices[0] if devices else default)


def _make_mirrored(devices: Sequence[str]) -> tf.distribute.Strategy:
    # Without a list: all GPUs, or the CPU where there is none.
    return tf.distribute.MirroredStrategy(devices or None)


STRATEGIES: Mapping[str, Callable[[Sequence[str]], tf.distribute.Strategy]] = {
    "one_device": _make_one_device,
    "mirrored": _make_mirrored,
}
"""Makes a strategy over the given devices; over its own choice if empty."""


def make_strategy(
    name: str, virtual_devices: int = 0
) -> tf.distribute.Strategy:
    """Makes the strategy `name`.

    Args:
      name: One of `STRATEGIES`.
      virtual_devices: Into how many logical devices to split the CPU, and to
        use instead of any GPU, 1..`MAX_VIRTUAL_DEVICES`; 0 leaves the devices
        as they are. Has to come before TensorFlow's first use of a device.

    Raises:
      InputError: If the CPU can't be split any more.
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
        devices = [f"/CPU:{index}" for index in range(virtual_devices)]
    return STRATEGIES[name](devices)
