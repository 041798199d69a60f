"""What is different between two definitions of a rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from facility.condition_units import limits_unit
from facility.conditions import Condition
from facility.equipment import RuleDefinition
from facility.units import display_unit


class Difference(NamedTuple):
    """One value that is not the same."""

    path: tuple[str, ...]
    """The way to it, such as ``("condition", "limits", "high", "value")``; empty for the rule as a whole."""
    before: Any
    """``None``: it was absent; of a rule as a whole, off."""
    after: Any


class Units(NamedTuple):
    """What a rule's numbers are written in, in pint's spelling."""

    point: str
    limits: str
    """Of limits and deadband: of a rate another one than the point's."""


def units_of(definition: RuleDefinition | Mapping[str, Any] | None, point: str) -> Units:
    """Return the units of a definition, also as JSON; ``point``: that of its point."""
    match definition:
        case None:
            return Units(point, point)
        case RuleDefinition():
            return Units(point, limits_unit(definition.condition, point))
        case _:
            return Units(point, _limits_unit_as_written(definition, point))


def _limits_unit_as_written(definition: Mapping[str, Any], point: str) -> str:
    try:
        condition = _CONDITION.validate_python(definition["condition"])
    except ValidationError:  # an old revision, from when conditions were written otherwise
        return point
    return limits_unit(condition, point)


_CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)


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


def in_words(difference: Difference, units: Units) -> str:
    """Return a difference as a person reads it, such as ``high 80 → 85 °C``."""
    if not difference.path:
        return "switched off" if difference.after is None else "switched on"
    words = " ".join(_word(step) for step in difference.path if step not in _LEFT_OUT) or difference.path[-1]
    ending = _unit(difference.path, units)
    return f"{words} {_said(difference.before)} → {_said(difference.after)} {ending}".rstrip()


_LEFT_OUT = frozenset({"condition", "limits", "value"})
"""Steps that say nothing to a person."""

_TIMES = {"_s": "s", "_min": "min", "_h": "h"}
"""Endings of keys that carry their unit."""

_OF_LIMITS = frozenset({"deadband", "value"})
"""Keys whose values are in the unit of the condition's limits."""

_OF_POINT = frozenset({"limit", "offset", "tolerance"})
"""Keys whose values are in the point's own unit."""


def _word(step: str) -> str:
    bare = next((step.removesuffix(ending) for ending in _TIMES if step.endswith(ending)), step)
    return bare.replace("_", " ")


def _unit(path: tuple[str, ...], units: Units) -> str:
    if path[-1] in _OF_LIMITS or path[-2:-1] == ("limits",):
        return display_unit(units.limits)
    if path[-1] in _OF_POINT:
        return display_unit(units.point)
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
