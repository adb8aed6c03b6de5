"""Progress of long work: a bar in a terminal, plain lines anywhere else."""

import contextlib
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10


class Progress:
    """Shows how far work has come, on standard error.

    Args:
      total: Amount of work.
      name: What is being done.
      unit: What is being counted.
    """

    def __init__(self, total: int, name: str, unit: str) -> None:
        in_terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            desc=name,
            unit=f" {unit}",
            file=sys.stderr if in_terminal else _Lines(sys.stderr),
            mininterval=0.1 if in_terminal else _SECONDS_BETWEEN_LINES,
            # Look at the clock each time: work comes in large pieces.
            miniters=1,
            dynamic_ncols=in_terminal,
            bar_format=None
            if in_terminal
            else "{desc}: {n_fmt}/{total_fmt}{unit}, {elapsed} passed,"
            " {remaining} left, {rate_fmt}{postfix}",
        )

    def advance(self, amount: int, **figures: float) -> None:
        """Adds to the work done; `figures` are shown beside it."""
        if figures:
            self._bar.set_postfix(
                {name: f"{value:.4f}" for name, value in figures.items()},
                refresh=False,
            )
        self._bar.update(amount)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()


class Rate:
    """How fast training goes, and how much of its time it waits for input.

    Attributes:
      waited: Seconds spent waiting for input, to be added to.
    """

    def __init__(self) -> None:
        self._seconds, self._num_images, self.waited = 0.0, 0, 0.0

    @contextlib.contextmanager
    def measuring(self, num_images: int) -> Iterator[None]:
        """Counts the block's time, in which so many images are trained on."""
        begin = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - begin
        self._num_images += num_images

    def take(self) -> dict[str, float]:
        """Returns the figures, and begins anew."""
        figures = {
            "images_per_second": round(self._num_images / self._seconds, 1),
            "input_wait_share": round(self.waited / self._seconds, 6),
        }
        self._seconds, self._num_images, self.waited = 0.0, 0, 0.0
        return figures


class _Lines:
    """Turns a bar that redraws itself into lines, for a log file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: str | None = None

    def write(self, text: str) -> None:
        line = text.strip()
        # The first one says only that nothing is done yet.
        if line and self._last is not None and line != self._last:
            self._stream.write(f"{line}\n")
        self._last = line or self._last

    def flush(self) -> None:
        self._stream.flush()
