"""Writes files completely or not at all, and explains errors."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import tensorflow as tf

from seqdigits_tfds import InputError


def write_atomically(path: pathlib.Path, content: bytes) -> None:
    """Writes a file atomically: readers never see a partial file.

    Raises:
      InputError: If the file can't be written; the old content is kept.
    """
    with replace_atomically(path) as partial:
        partial.write_bytes(content)


@contextlib.contextmanager
def replace_atomically(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Replaces a file or directory by what the block writes elsewhere.

    Yields:
      The path to write in the block: in the same directory, with the same
      suffix. Nothing is left there.

    Raises:
      InputError: If it can't be written.
    """
    partial = path.with_name(f"partial.{path.name}")
    try:
        with explain_write_errors(path):
            yield partial
            if path.is_dir():
                shutil.rmtree(path)
            os.replace(partial, path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def explain_write_errors(path: pathlib.Path) -> Iterator[None]:
    """Turns write errors in the block into an `InputError` about `path`."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        # TensorFlow's messages may have several lines.
        reason = getattr(error, "strerror", None) or " ".join(
            str(error).split()
        )
        raise InputError(
            f"{path} can't be written ({reason}); free disk space or fix the"
            " permissions, and run the same command again: it resumes from the"
            " last checkpoint"
        ) from error


def check_writable(directory: pathlib.Path, setting: str) -> None:
    """Checks that files can be created in a directory, without leaving any.

    Args:
      directory: The directory; it need not exist.
      setting: Name of the setting with the directory, for the message.

    Raises:
      InputError: If no file can be created.
    """
    try:
        missing = [
            path
            for path in (directory, *directory.parents)
            if not path.exists()
        ]
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        for path in missing:
            # Another run may use it already.
            with contextlib.suppress(OSError):
                path.rmdir()
    except OSError as error:
        raise InputError(
            f"{setting} must be a writable directory, got {str(directory)!r}"
            f" ({error.strerror}); choose another --{setting}"
        ) from error
