"""Contestants in processes of their own, measured in turn."""

import dataclasses
import multiprocessing
import resource
import statistics
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, Self

from trainer.progress import Progress
from trainer.startup import hidden_stderr

KIBIBYTE = 1024
"""What Linux counts `ru_maxrss` in."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was measured of several contestants, round by round.

    Attributes:
      name: Of its file.
      title: What was compared, and how.
      unit: Of the figures.
      figures: Of each contestant, one for each round.
      baseline: The contestant that the others are compared with.
    """

    name: str
    title: str
    unit: str
    figures: Mapping[str, list[float]]
    baseline: str

    def median(self, name: str) -> float:
        """Returns the median of a contestant's figures."""
        return statistics.median(self.figures[name])

    def ratio(self, name: str) -> float:
        """Returns the contestant's median over the baseline's."""
        return self.median(name) / self.median(self.baseline)

    def to_json(self) -> dict[str, Any]:
        """Returns all figures, medians and ratios."""
        return {
            **dataclasses.asdict(self),
            "medians": {name: self.median(name) for name in self.figures},
            "ratios": {name: self.ratio(name) for name in self.figures},
        }

    def to_markdown(self) -> str:
        """Returns a table."""
        lines = [
            f"**{self.title}**",
            "",
            f"| | {self.unit}, median | lowest to highest"
            f" | over {self.baseline} |",
            "|---|---|---|---|",
        ]
        for name, figures in self.figures.items():
            lines.append(
                f"| {name} | {_format(self.median(name))}"
                f" | {_format(min(figures))} to {_format(max(figures))}"
                f" | {self.ratio(name):.2f} |"
            )
        return "\n".join(lines)


def _format(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def measure_in_turn(
    contestants: Mapping[str, Callable[[], float]], rounds: int, title: str
) -> dict[str, list[float]]:
    """Calls all contestants in each round, every other round backwards.

    Args:
      contestants: Functions that return a figure.
      rounds: How often to call each.
      title: What the progress display says.

    Returns:
      The figures of each.
    """
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    with Progress(rounds * len(order), title, "measurements") as progress:
        for _ in range(rounds):
            for name in order:
                figures[name].append(contestants[name]())
                progress.advance(1)
            order.reverse()
    return figures


class Child:
    """An object in a process of its own, whose methods are called from here.

    So contestants share neither threads nor memory.

    Args:
      make: Class or function that makes the object there, from `arguments`.
    """

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        self._process = futures.ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_make_contestant,
            initargs=(make, arguments),
        )

    def call(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Calls a method there, and returns its result."""
        return self._process.submit(
            _call_contestant, method, arguments, more
        ).result()

    def read_peak_memory(self) -> int:
        """Returns the most memory that was resident there so far, in bytes."""
        return self._process.submit(_read_peak_memory).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.shutdown()


_contestant: Any = None


def _make_contestant(
    make: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    global _contestant
    with hidden_stderr():
        _contestant = make(*arguments)


def _call_contestant(
    method: str, arguments: tuple[Any, ...], more: dict[str, Any]
) -> Any:
    with hidden_stderr():
        return getattr(_contestant, method)(*arguments, **more)


def _read_peak_memory() -> int:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return KIBIBYTE * sum(resource.getrusage(w).ru_maxrss for w in whose)
