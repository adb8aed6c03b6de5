"""Measures the speed of training."""

import contextlib
import time
from collections.abc import Iterator


class Throughput:
    """Measures images per second, and the share of time spent on input.

    Attributes:
      input_wait: Estimated seconds spent waiting for input; the caller adds to
        it.
    """

    def __init__(self) -> None:
        self._seconds, self._num_images, self.input_wait = 0.0, 0, 0.0

    @contextlib.contextmanager
    def measuring(self, num_images: int) -> Iterator[None]:
        """Measures the duration of a block that trains on `num_images`."""
        start = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - start
        self._num_images += num_images

    def take(self) -> dict[str, float]:
        """Returns the figures since the last call, ready for metrics.jsonl.

        `sampled_input_wait_share` is an estimate: only the last step of each
        call into TensorFlow is measured.
        """
        figures = {
            "images_per_second": round(self._num_images / self._seconds, 1),
            "sampled_input_wait_share": round(
                self.input_wait / self._seconds, 6
            ),
        }
        self._seconds, self._num_images, self.input_wait = 0.0, 0, 0.0
        return figures
