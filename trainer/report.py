"""Writes the report of a run that has ended, once more.

`python -m trainer.report --workdir=...`
"""

import pathlib
from collections.abc import Sequence

from absl import app, flags

from trainer.startup import quiet_tensorflow

with quiet_tensorflow():
    from trainer.run_directory import RunDirectory

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run directory of the trainer.", required=True
)


def main(argv: Sequence[str]) -> None:
    """Writes report/."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    run = RunDirectory(pathlib.Path(_WORKDIR.value).expanduser())
    print(f"See {run.write_report()}.")


if __name__ == "__main__":
    app.run(main)
