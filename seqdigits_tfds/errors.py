"""The one exception for bad input, and how command-line programs show it."""

import sys

from absl import app


class InputError(ValueError):
    """A setting or file given by the user can't be used.

    The message is one line: what was wanted, what was found, what to do.
    """


class _OneLineExit(app.ExceptionHandler):
    """Ends an absl program that an `InputError` escapes with its one line."""

    def wants(self, exc: BaseException) -> bool:
        return isinstance(exc, InputError)

    def handle(self, exc: BaseException) -> None:
        # absl re-raises after its handlers, and swallows a SystemExit raised in
        # one: the hook that would print the traceback is the only place left.
        sys.excepthook = lambda _type, error, _traceback: print(
            f"error: {error}", file=sys.stderr
        )


# `tfds build` runs under absl and imports this package, but has no other place
# for a dataset to say how its own errors are shown.
app.install_exception_handler(_OneLineExit())
