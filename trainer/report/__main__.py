"""Writes the report of a finished run again.

`python -m trainer.report --workdir=...`
"""

import pathlib
from collections.abc import Sequence

from absl import app, flags

from seqdigits_tfds.terminal import quiet_tensorflow

with quiet_tensorflow():
    from trainer.report.page import write_report

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run directory of the trainer.", required=True
)


def main(argv: Sequence[str]) -> None:
    """Writes the report, and prints its path."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    path = write_report(pathlib.Path(_WORKDIR.value).expanduser())
    print(f"See {path}.")


if __name__ == "__main__":
    app.run(main)
