"""Writes the report of a finished run again, or compares runs.

python -m trainer.report --workdir=my_run
python -m trainer.report --compare RUN RUN ...
"""

import pathlib
from collections.abc import Sequence

from absl import app, flags

from seqdigits_tfds import InputError
from seqdigits_tfds.terminal import quiet_tensorflow

with quiet_tensorflow():
    from trainer.report.comparison import write_comparison
    from trainer.report.page import write_report

_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory of the trainer.")
_COMPARE = flags.DEFINE_bool(
    "compare", False, "Compare the runs whose directories are the arguments."
)
_OUTPUT = flags.DEFINE_string(
    "output", "comparison", "With --compare: folder for the page."
)


def main(argv: Sequence[str]) -> None:
    """Writes the page, and prints its path."""
    paths = [pathlib.Path(path).expanduser() for path in argv[1:]]
    if _COMPARE.value:
        output = pathlib.Path(_OUTPUT.value).expanduser()
        path = write_comparison(paths, output)
    elif paths:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    elif _WORKDIR.value is None:
        raise InputError(
            "a run is needed; set --workdir to its directory, or name several"
            " after --compare"
        )
    else:
        path = write_report(pathlib.Path(_WORKDIR.value).expanduser())
    print(f"See {path}.")


if __name__ == "__main__":
    app.run(main)
