"""What is different between two definitions of a rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from facility.units import display_unit


class Difference(NamedTuple):
    """One value that is not the same."""

    path: tuple[str, ...]
    """The way to it, such as ``("condition", "limits", "high", "value")``; empty for the rule as a whole."""
    before: Any
    """``None``: it was absent; of a rule as a whole, off."""
    after: Any


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """Return every value that is different, in the order of the definition that has it.

    Args:
        before: A definition as JSON; ``None``: the rule is off, or there is none.
        after: The same.
    """
    if before is None or after is None:
        return [] if before is after else [Difference((), before, after)]
    return list(_within((), before, after))


def _within(path: tuple[str, ...], before: Any, after: Any) -> Iterator[Difference]:  # noqa: ANN401  # any JSON
    if before == after:
        return
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield Difference(path, before, after)
        return
    for key in dict.fromkeys([*before, *after]):
        yield from _within((*path, key), before.get(key), after.get(key))


def in_words(difference: Difference, unit: str) -> str:
    """Return a difference as a person reads it, such as ``high 80 → 85 °C``.

    Args:
        difference: Of two definitions.
        unit: Of the rule's point, in pint's spelling.
    """
    if not difference.path:
        return "switched off" if difference.after is None else "switched on"
    words = " ".join(_word(step) for step in difference.path if step not in _LEFT_OUT) or difference.path[-1]
    ending = _unit(difference.path, unit)
    return f"{words} {_said(difference.before)} → {_said(difference.after)} {ending}".rstrip()


_LEFT_OUT = frozenset({"condition", "limits", "value"})
"""Steps that say nothing to a person."""

_TIMES = {"_s": "s", "_min": "min", "_h": "h"}
"""Endings of keys that carry their unit."""

_IN_UNIT = frozenset({"deadband", "limit", "offset", "tolerance", "value"})
"""Keys whose values are in the point's own unit."""


def _word(step: str) -> str:
    bare = next((step.removesuffix(ending) for ending in _TIMES if step.endswith(ending)), step)
    return bare.replace("_", " ")


def _unit(path: tuple[str, ...], unit: str) -> str:
    if path[-1] in _IN_UNIT or path[-2:-1] == ("limits",):
        return display_unit(unit)
    return next((short for ending, short in _TIMES.items() if path[-1].endswith(ending)), "")


def _said(value: Any) -> str:  # noqa: ANN401  # any JSON
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() | float() if math.isfinite(value):
            return f"{value:.12g}"
        case Mapping():
            given = {key: inner for key, inner in value.items() if inner is not None}
            return _said(given["value"]) if given.keys() == {"value"} else _entries(given)
        case list():
            return f"[{', '.join(map(_said, value))}]"
    return str(value)


def _entries(value: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_said(inner)}" for key, inner in value.items()) + "}"
