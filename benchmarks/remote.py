"""Objects in separate processes, so that their memory can be measured."""

import multiprocessing
import pathlib
import re
from collections.abc import Callable
from concurrent import futures
from typing import Any, Self

from seqdigits_tfds.terminal import hidden_stderr

KIBIBYTE = 1024
"""The unit in which Linux reports memory, in bytes."""


class RemoteObject:
    """An object in a new process, whose methods can be called from this one.

    Candidates in separate processes don't share memory, threads or imported
    libraries. The process ends with the `with` block. Its output to standard
    error is hidden, unless a call raises.

    Args:
      make: Class or function that makes the object.
      *arguments: Its arguments.
    """

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        self._process = futures.ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_make_object,
            initargs=(make, arguments),
        )

    def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Calls a method of the object, and returns its result."""
        return self._process.submit(
            _call_method, method, arguments, keywords
        ).result()

    def peak_memory(self) -> int:
        """Returns the peak resident memory of the process so far, in bytes.

        Does not count the processes that it started, such as the workers of a
        `DataLoader`.
        """
        return self._process.submit(_read_memory, "VmHWM").result()

    def anonymous_memory(self) -> int:
        """Returns the resident memory without mapped files, in bytes."""
        return self._process.submit(_read_memory, "RssAnon").result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.shutdown()


_object: Any = None
"""The object, in the new process."""


def _make_object(make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    global _object
    with hidden_stderr():
        _object = make(*arguments)


def _call_method(
    method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    with hidden_stderr():
        return getattr(_object, method)(*arguments, **keywords)


def _read_memory(name: str) -> int:
    # Not `ru_maxrss`: on Linux, a process inherits that of its parent. For the
    # same reason, that of a child process would count this one twice.
    status = pathlib.Path("/proc/self/status").read_text()
    size = re.search(rf"^{name}:\s*(\d+) kB$", status, re.MULTILINE)
    if size is None:
        raise RuntimeError(f"/proc/self/status has no {name}")
    return KIBIBYTE * int(size[1])
