"""Hides the messages that TensorFlow prints while it starts."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator


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
