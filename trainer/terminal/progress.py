"""Shows progress: as a bar in a terminal, and as plain lines elsewhere."""

import sys
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10


class Progress:
    """Shows progress on standard error.

    Args:
      total: Total amount of work.
      name: Name of the work.
      unit: Unit of the amounts, in the plural.
    """

    def __init__(self, total: int, name: str, unit: str) -> None:
        in_terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            desc=name,
            unit=f" {unit}",
            file=sys.stderr if in_terminal else _Lines(sys.stderr),
            mininterval=0.1 if in_terminal else _SECONDS_BETWEEN_LINES,
            # Work is done in large pieces: check the time after each.
            miniters=1,
            dynamic_ncols=in_terminal,
            bar_format=None
            if in_terminal
            else "{desc}: {n_fmt}/{total_fmt}{unit}, {elapsed} elapsed,"
            " {remaining} left, {rate_fmt}{postfix}",
        )

    def advance(self, amount: int, **figures: float) -> None:
        """Adds to the amount of work done, and shows `figures` next to it."""
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


class _Lines:
    """Turns a bar that redraws itself into lines for a log file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: str | None = None

    def write(self, text: str) -> None:
        line = text.strip()
        # The first line only shows that nothing is done yet.
        if line and self._last is not None and line != self._last:
            self._stream.write(f"{line}\n")
        self._last = line or self._last

    def flush(self) -> None:
        self._stream.flush()
