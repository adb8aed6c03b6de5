"""Keeps what TensorFlow says while it starts off the screen."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def hidden_stderr() -> Iterator[None]:
    """Hides what is written to standard error, unless the block raises.

    TensorFlow's libraries write to the file descriptor, before any setting of
    theirs can stop them.
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
