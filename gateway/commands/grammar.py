"""A profile's ``write`` entry: how a point may be commanded, and within which limits.

::

    points:
      speed_setpoint:
        register: 27
        type: float32
        write: {min: 600, max: 1480, safe: 1465, tolerance: 1, expires_s: 28800, roles: [operator, engineer]}
      lock:
        topic: "{root}/state"
        path: lock
        write: {states: [locked, unlocked], safe: locked, expires_s: 900, topic: "{root}/command", path: lock}

Every key that is not one of :class:`WriteEntry` belongs to the protocol, such as the ``topic`` to publish on.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import Field

from facility.definition import Definition
from facility.equipment import EquipmentClass, PointDefinition, PointKind
from facility.grammar import Finding, check
from facility.life_safety import class_refusal
from facility.model import Protocol
from people.model import PERMISSIONS, Permission, Role

HIGHEST_PRIORITY: Final = 8
"""Manual operator in clause 19.2 of ASHRAE 135; 1 to 7 belong to life safety and to the plant's own protection."""
LOWEST_PRIORITY: Final = 16
LONGEST_S: Final = 7 * 86_400.0
"""Facility seconds after which every command is looked at again by a person."""

COMMANDERS: Final = frozenset(
    role for role, permissions in PERMISSIONS.items() if Permission.COMMAND_DEVICE in permissions
) - {Role.SYSTEM}
"""Roles that an entry may name."""

_NUMERIC: Final = (PointKind.ANALOG,)
_NAMED: Final = (PointKind.BINARY, PointKind.MULTISTATE)


class WriteEntry(Definition):
    """What a device takes, and from whom."""

    min: float | None = None
    """Least value in the point's unit; a number needs both."""
    max: float | None = None
    states: list[str] | dict[str, str] = Field(default_factory=list)
    """The class's states that may be commanded, or what the device calls each; a state point needs one at least."""
    roles: list[Role] = Field(default_factory=lambda: [Role.SUPERVISOR, Role.ENGINEER], min_length=1)
    """Who may, of those that may command at all."""
    priority: int = Field(default=HIGHEST_PRIORITY, ge=HIGHEST_PRIORITY, le=LOWEST_PRIORITY)
    """BACnet's; smaller numbers win. Other protocols ignore it."""
    expires_s: float = Field(default=3600.0, gt=0.0, le=LONGEST_S)
    """The longest a command may hold, in facility seconds."""
    safe: float | str | None = None
    """What is written to take a command back, a value or the name of a state; ``None``: nothing is.

    Not for BACnet, which relinquishes.
    """
    tolerance: float | None = Field(default=None, ge=0.0)
    """How far the device may show another number, in the point's unit; ``None``: a thousandth of the span."""
    confirm_s: float = Field(default=12.0, gt=0.0, le=120.0)
    """Wall seconds within which the device must show the value."""

    @property
    def allowed(self) -> list[str]:
        """Return the class's states that may be commanded."""
        return list(self.states.values()) if isinstance(self.states, dict) else self.states


def own_keys(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an entry that this grammar reads."""
    return {key: value for key, value in entry.items() if key in WriteEntry.model_fields}


def protocol_keys(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an entry that the protocol's driver reads, with what the device calls its states."""
    return {
        key: value
        for key, value in entry.items()
        if key not in WriteEntry.model_fields or (key == "states" and isinstance(value, Mapping))
    }


def write_findings(equipment: EquipmentClass, point: str, entry: object, protocol: Protocol) -> list[Finding]:
    """Return everything that is wrong with an entry, each with its key: limits that do not fit, or life safety."""
    reason = class_refusal(equipment, point)
    if reason:
        return [((), f"{reason}; remove 'write'")]
    if not isinstance(entry, Mapping):
        return [((), "'write' wants entries below it (name: value), such as {min: 0, max: 100}")]
    written, findings = check(WriteEntry, own_keys(entry))
    findings += _misspelt(entry)
    if written is not None:
        findings += [
            ((key,), message) for rule in _RULES for key, message in rule(equipment.points[point], written, protocol)
        ]
    return findings


Told = Iterator[tuple[str, str]]
"""Key and message."""


def _misspelt(entry: Mapping[str, Any]) -> list[Finding]:
    """Name keys that are nearly ours: a limit with a typing error would otherwise be no limit."""
    known = list(WriteEntry.model_fields)
    unknown = entry.keys() - set(known)
    near = {key: difflib.get_close_matches(str(key), known, n=1, cutoff=0.75) for key in sorted(unknown)}
    return [((key,), f"{key!r} is not known here; did you mean {match[0]!r}?") for key, match in near.items() if match]


def _kind_told(point: PointDefinition, _entry: WriteEntry, _protocol: Protocol) -> Told:
    if point.kind not in _NUMERIC + _NAMED:
        yield (
            "states",
            f"a point of kind {point.kind} only counts what happened and cannot be commanded; remove 'write'",
        )


def _limits_told(point: PointDefinition, entry: WriteEntry, _protocol: Protocol) -> Told:
    given = [key for key in ("min", "max") if getattr(entry, key) is not None]
    if point.kind in _NAMED and given:
        yield given[0], f"{given[0]!r} means nothing for states; write states: [{', '.join(point.states)}]"
    if point.kind not in _NUMERIC:
        return
    if entry.states:
        yield "states", "'states' means nothing for a number; write its min and max"
    if entry.min is None or entry.max is None:
        yield "min", "a number needs both limits; write min: … and max: …"
    elif not (math.isfinite(entry.min) and math.isfinite(entry.max) and entry.min < entry.max):
        yield "max", f"min {entry.min:g} must be below max {entry.max:g}"
    elif point.range and not point.range[0] <= entry.min < entry.max <= point.range[1]:
        low, high = point.range
        yield "max", f"{entry.min:g} to {entry.max:g} leaves the class's range; stay within {low:g} to {high:g}"


def _states_told(point: PointDefinition, entry: WriteEntry, _protocol: Protocol) -> Told:
    if point.kind not in _NAMED:
        return
    known = ", ".join(point.states)
    if not entry.allowed:
        yield "states", f"name the states that may be commanded; write states: [{known}]"
    for state in entry.allowed:
        if state not in point.states:
            yield "states", f"{state!r} is no state of the class; write one of: {known}"


def _safe_told(point: PointDefinition, entry: WriteEntry, protocol: Protocol) -> Told:
    if entry.safe is None:
        return
    if protocol is Protocol.BACNET_IP:
        yield "safe", "BACnet relinquishes a command instead of writing another value; remove 'safe'"
    elif point.kind in _NAMED:
        if entry.safe not in entry.allowed:
            yield "safe", f"{entry.safe!r} is none of the states that may be commanded; write one of them"
    elif not _within(entry):
        yield "safe", f"{entry.safe!r} is not between min and max; write a number that is"


def _within(entry: WriteEntry) -> bool:
    low, high = entry.min, entry.max
    return isinstance(entry.safe, float) and low is not None and high is not None and low <= entry.safe <= high


def _roles_told(_point: PointDefinition, entry: WriteEntry, _protocol: Protocol) -> Told:
    for role in entry.roles:
        if role not in COMMANDERS:
            yield "roles", f"a {role} may not command devices at all; write some of: {', '.join(sorted(COMMANDERS))}"


_RULES: Final[tuple[Callable[[PointDefinition, WriteEntry, Protocol], Told], ...]] = (
    _kind_told,
    _limits_told,
    _states_told,
    _safe_told,
    _roles_told,
)
