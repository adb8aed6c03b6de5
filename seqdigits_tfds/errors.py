"""The exception for bad input, and how command-line programs print it."""

import sys

from absl import app


class InputError(ValueError):
    """A setting or file given by the user can't be used.

    The message is one line: what was expected, what was found, what to do.
    """


class _OneLineExit(app.ExceptionHandler):
    """Prints an uncaught `InputError` as one line, without a traceback."""

    def wants(self, exc: BaseException) -> bool:
        return isinstance(exc, InputError)

    def handle(self, exc: BaseException) -> None:
        # absl re-raises the exception after its handlers and ignores a
        # SystemExit raised in one, so Python's own hook has to be replaced.
        sys.excepthook = lambda _type, error, _traceback: print(
            f"error: {error}", file=sys.stderr
        )


# `tfds build` is an absl program and imports this package. absl's list of
# exception handlers is the only way for a dataset to change how errors are
# printed.
app.install_exception_handler(_OneLineExit())
