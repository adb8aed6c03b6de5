"""Measures candidates in turn, and compares their medians."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from seqdigits_tfds.terminal import Progress

MEBIBYTE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The measurements of several candidates.

    Attributes:
      name: Name of the comparison's JSON file.
      title: Title of the table.
      unit: Unit of the measurements.
      measurements: The measurements of each candidate, one per round.
      baseline: Name of the candidate that the others are compared with.
    """

    name: str
    title: str
    unit: str
    measurements: Mapping[str, list[float]]
    baseline: str

    def median(self, name: str) -> float:
        """Returns the median of a candidate's measurements."""
        return statistics.median(self.measurements[name])

    def ratio(self, name: str) -> float:
        """Returns a candidate's median, divided by the baseline's."""
        return self.median(name) / self.median(self.baseline)

    def to_json(self) -> dict[str, Any]:
        """Returns all measurements, medians and ratios."""
        return {
            **dataclasses.asdict(self),
            "medians": {name: self.median(name) for name in self.measurements},
            "ratios": {name: self.ratio(name) for name in self.measurements},
        }

    def to_markdown(self) -> str:
        """Returns a table with one row per candidate."""
        lines = [
            f"**{self.title}**",
            "",
            f"| | {self.unit}, median | minimum to maximum"
            f" | relative to {self.baseline} |",
            "|---|---|---|---|",
        ]
        for name, values in self.measurements.items():
            lines.append(
                f"| {name} | {_format(self.median(name))}"
                f" | {_format(min(values))} to {_format(max(values))}"
                f" | {self.ratio(name):.2f} |"
            )
        return "\n".join(lines)


def _format(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def measure_in_turn(
    candidates: Mapping[str, Callable[[], float]], rounds: int, title: str
) -> dict[str, list[float]]:
    """Measures every candidate once per round, with a progress display.

    The order is reversed after each round, so that a slow change of the
    machine's speed affects all candidates alike.

    Args:
      candidates: Functions that return one measurement, by name.
      rounds: Number of rounds.
      title: Title of the progress display.

    Returns:
      The measurements of each candidate, one per round.
    """
    measurements: dict[str, list[float]] = {name: [] for name in candidates}
    order = list(candidates)
    with Progress(rounds * len(order), title, "measurements") as progress:
        for _ in range(rounds):
            for name in order:
                measurements[name].append(candidates[name]())
                progress.advance(1)
            order.reverse()
    return measurements
