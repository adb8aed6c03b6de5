"""Compares seqdigits with the usual alternatives, on this machine.

  python -m benchmarks --manual_dir=path/to/mnist [BENCHMARK ...]

The benchmarks are `build`, `loaders`, `small_images`, `sequences`, `sizes` and
`step`; all run by default. Each prints tables of medians. `models` trains each
model once, which takes about an hour, and draws their accuracy over time.
"""

import pathlib
from collections.abc import Sequence

from absl import app, flags

from benchmarks import suite

_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir",
    None,
    "Directory with MNIST's four files, plain or .gz.",
    required=True,
)
_OUT = flags.DEFINE_string(
    "out", "runs/benchmarks", "Directory for the results, as JSON."
)
_ROUNDS = flags.DEFINE_integer(
    "rounds",
    5,
    "Number of measurements of each candidate (the step benchmark takes three"
    " times as many).",
    lower_bound=1,
)


def main(argv: Sequence[str]) -> None:
    """Runs the benchmarks that the arguments name, or all of them."""
    out = pathlib.Path(_OUT.value)
    suite.run(
        argv[1:] or [name for name in suite.BENCHMARKS if name != suite.MODELS],
        manual_dir=_MANUAL_DIR.value,
        out=out,
        rounds=_ROUNDS.value,
    )
    print(f"All measurements are in {out}/*.json.")


if __name__ == "__main__":
    app.run(main)
