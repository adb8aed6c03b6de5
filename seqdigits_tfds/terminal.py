"""What programs print: progress, and nothing while TensorFlow starts."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10


@contextlib.contextmanager
def hidden_stderr() -> Iterator[None]:
    """Hides all output to standard error, unless the block raises.

    TensorFlow's libraries write directly to the file descriptor, before any of
    their settings can take effect.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(original, 2)
            hidden.seek(0)
            shutil.copyfileobj(hidden, sys.stderr.buffer)
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Imports TensorFlow, and hides what it and the block write to stderr.

    Keeps the log level that the user has set, if any.
    """
    # TensorFlow raises its errors as exceptions as well.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with hidden_stderr():
        import tensorflow as tf

        # Searches for GPUs, which prints several lines if there is none.
        tf.config.list_physical_devices()
        yield


class Progress:
    """Shows progress on standard error: a bar in a terminal, or plain lines.

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
