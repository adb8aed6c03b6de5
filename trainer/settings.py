"""Settings that are described in one place, as the fields of a dataclass.

The description of a field holds its help, group, default and bounds.
Validation, command-line flags, `--help` and the table in the documentation all
use it.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

from absl import flags

from seqdigits_tfds import InputError

_KEY = "setting"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """The description of a field.

    Attributes:
      help: What the setting does, in one or two sentences.
      group: Title of its group.
      default_help: Describes the default if it is None.
      choices: The permitted values; None to permit any within the bounds.
      renamed: New name of each renamed choice; None if no choice was renamed.
      minimum: The smallest permitted number.
      maximum: The largest permitted number.
      above: Exclusive lower bound.
      affects_result: Whether another value may change the result of a run.
    """

    help: str
    group: str
    default_help: str = "none"
    choices: Collection[str] | None = None
    renamed: Mapping[str, str] | None = None
    minimum: int | None = None
    maximum: int | None = None
    above: int | None = None
    affects_result: bool = True

    def check(self, name: str, value: Any) -> None:
        """Checks a value other than None.

        Raises:
          InputError: If it is not permitted.
        """
        if self.renamed and value in self.renamed:
            raise InputError(
                f"{name}={value} was renamed; use {name}={self.renamed[value]}"
            )
        if self.choices is not None:
            is_permitted = value in self.choices
        elif isinstance(value, int | float):
            is_permitted = (
                math.isfinite(value)
                and (self.minimum is None or value >= self.minimum)
                and (self.maximum is None or value <= self.maximum)
                and (self.above is None or value > self.above)
            )
        else:
            # What a shell makes of an unset variable.
            is_permitted = value != ""
        if not is_permitted:
            raise InputError(f"{name} must be {self.values}, got {value!r}")

    @property
    def values(self) -> str:
        """The permitted values, in words."""
        if self.choices is not None:
            return f"one of {', '.join(self.choices)}"
        if self.above is not None:
            return f"a number above {self.above}"
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum} to {self.maximum}"
        if self.minimum is not None:
            return f"at least {self.minimum}"
        return "any text"


def setting(default: Any, **description: Any) -> Any:
    """Makes a field of a dataclass.

    Args:
      default: Its default.
      **description: The attributes of its `Setting`.
    """
    return dataclasses.field(
        default=default, metadata={_KEY: Setting(**description)}
    )


def describe(cls: type) -> dict[str, Setting]:
    """Returns the descriptions of a dataclass's settings, by name."""
    return {f.name: f.metadata[_KEY] for f in dataclasses.fields(cls)}


def check(config: Any) -> None:
    """Checks all settings of a dataclass's instance.

    Raises:
      InputError: If one of them is not permitted.
    """
    for name, description in describe(type(config)).items():
        value = getattr(config, name)
        if value is not None:
            description.check(name, value)


def define_flags(
    cls: type, flag_values: flags.FlagValues = flags.FLAGS
) -> None:
    """Defines a flag of this module for each setting of a dataclass."""
    define: dict[Any, Callable[..., Any]] = {
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }
    for field in dataclasses.fields(cls):
        description: Setting = field.metadata[_KEY]
        kind = (set(typing.get_args(field.type)) or {field.type}) - {
            types.NoneType
        }
        define[kind.pop()](
            field.name,
            field.default,
            f"{description.help} ({_describe_values(field)})",
            flag_values=flag_values,
        )


def read_flags(
    cls: type, flag_values: flags.FlagValues = flags.FLAGS
) -> dict[str, Any]:
    """Returns the values of the flags that `define_flags` has defined."""
    return {
        field.name: flag_values[field.name].value
        for field in dataclasses.fields(cls)
    }


def make_help(cls: type) -> str:
    """Lists the names of all settings by group, for `--help`."""
    groups: dict[str, list[str]] = {}
    for name, description in describe(cls).items():
        groups.setdefault(description.group, []).append(name)
    return "\n".join(
        f"  {group}: {', '.join(names)}" for group, names in groups.items()
    )


def make_table(cls: type) -> str:
    """Makes the table of all settings for the documentation, in Markdown."""
    lines: list[str] = []
    group = None
    for field in dataclasses.fields(cls):
        description: Setting = field.metadata[_KEY]
        if description.group != group:
            group = description.group
            lines += [
                *([""] if lines else []),
                f"### {group.capitalize()}",
                "",
                "| flag | default | values | meaning |",
                "|---|---|---|---|",
            ]
        default = (
            description.default_help
            if field.default is None
            else f"`{field.default}`"
        )
        lines.append(
            f"| `--{field.name}` | {default} | {description.values} |"
            f" {description.help} |"
        )
    return "\n".join(lines) + "\n"


def _describe_values(field: dataclasses.Field) -> str:
    """Describes permitted values, and a default that absl can't know."""
    description: Setting = field.metadata[_KEY]
    if field.default is not None:
        return description.values
    return f"{description.values}; default: {description.default_help}"
