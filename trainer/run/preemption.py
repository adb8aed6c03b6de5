"""Stops a run cleanly on SIGTERM and SIGINT."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn, Self

EXIT_CODE_BASE = 128
"""A run stopped by signal s exits with this + s, as in shells: 143 for
SIGTERM, 130 for SIGINT."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Preemption:
    """A context manager that ends the program when a signal arrives.

    It raises SystemExit immediately, except within `deferred`, where the signal
    only sets `requested`. A second signal has its default effect. Outside the
    main thread, signals are not handled.
    """

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._deferred = False
        self._message = ""
        self._handlers: dict[signal.Signals, object] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal has arrived."""
        return self._signal is not None

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Lets the block check `requested` and call `stop` itself.

        If it doesn't, the program ends after the block.
        """
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.requested:
            self.stop("")

    def stop(self, what_is_saved: str) -> NoReturn:
        """Ends the program.

        Args:
          what_is_saved: A sentence for the user, followed by a space.
        """
        name = self._signal.name if self._signal else "another worker"
        self._message = (
            f"Stopped by {name}. {what_is_saved}Run the same command again to"
            " resume."
        )
        sys.exit(EXIT_CODE_BASE + (self._signal or signal.SIGTERM))

    def _handle(self, signum: int, _: FrameType | None) -> None:
        self._signal = signal.Signals(signum)
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if not self._deferred:
            self.stop("")

    def __enter__(self) -> Self:
        # Python only allows handlers in the main thread.
        if threading.current_thread() is threading.main_thread():
            for each in _SIGNALS:
                self._handlers[each] = signal.signal(each, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._message:
            # Printed last, below the progress display.
            print(self._message, file=sys.stderr, flush=True)
        for each, handler in self._handlers.items():
            signal.signal(each, handler)  # type: ignore[arg-type]
