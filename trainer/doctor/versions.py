"""Compares the installed packages with what this project needs."""

import platform
from collections.abc import Sequence
from importlib import metadata

from packaging.requirements import Requirement

_PROJECT = "seqdigits"
_DESCRIBED = ("tensorflow", "keras", "tensorflow-datasets", "numpy")


def find_unsupported(requirements: Sequence[str] | None = None) -> list[str]:
    """Finds packages that are missing, or installed in another version.

    Args:
      requirements: What is needed, such as "keras>=3.8"; None for this
        project's requirements, without those of its extras.

    Returns:
      A line about each of these packages.
    """
    if requirements is None:
        requirements = _read_requirements()
    lines = []
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate(
            {"extra": ""}
        ):
            continue
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found = "none"
        if found == "none" or not requirement.specifier.contains(
            found, prereleases=True
        ):
            wanted = f"{requirement.name}{requirement.specifier}"
            lines.append(
                f"{wanted} is needed, found {found}; run pip install '{wanted}'"
            )
    return lines


def describe_packages() -> str:
    """Returns the versions of Python and of the main packages."""
    return ", ".join(
        [
            f"Python {platform.python_version()}",
            *(f"{name} {metadata.version(name)}" for name in _DESCRIBED),
        ]
    )


def _read_requirements() -> list[str]:
    try:
        return metadata.requires(_PROJECT) or []
    except metadata.PackageNotFoundError:
        # Not installed, but run from its source.
        return list(_DESCRIBED)
