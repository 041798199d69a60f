"""A command, and the points that may be commanded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from facility.model import Point
from gateway.commands.lifecycle import CommandState
from people.model import Role


class Release(StrEnum):
    """How a command is taken back from its device."""

    RELINQUISH = "relinquish"
    """BACnet: Null at the command's own priority."""
    SAFE_VALUE = "safe_value"
    """Writes the value that the profile names as safe."""
    NOTHING = "nothing"
    """The device keeps what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writable:
    """A point that its profile and its site let people command."""

    point: Point
    low: float | None
    """Least value in the point's unit; ``None`` for states."""
    high: float | None
    codes: frozenset[int]
    """Of the states that may be commanded; empty for numbers."""
    roles: frozenset[Role]
    priority: int
    longest_s: float
    """The longest a command may hold, in facility seconds."""
    release: Release
    safe: float | None
    """What :attr:`Release.SAFE_VALUE` writes; ``None`` otherwise."""
    tolerance: float
    """How far the device may show another value, in the point's unit."""
    confirm_s: float
    """Wall seconds within which the device must show the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks for."""

    request_id: str
    """The client's own identity of this request: the same again does nothing twice."""
    point_key: int
    value: float
    """In the point's unit, or the code of a state."""
    hold_s: float | None
    """Facility seconds after which it is taken back; ``None``: the longest that the point allows."""
    reason: str
    holder: int | None
    """The command that held the point when the person looked; ``None`` for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A value that somebody wants a point to have, for a time."""

    id: int
    version: int
    request_id: str
    point_key: int
    asset_id: str
    value: float
    priority: int
    release: Release
    safe: float | None
    tolerance: float
    confirm_s: float
    state: CommandState
    reason: str
    author_id: int
    author: str
    requested_at_ns: int
    expires_at_ns: int
    shown: float | None
    """What the device showed last; ``None``: nothing yet."""
    detail: str | None
    """Why it is not as it should be, and what to do; ``None`` while it is."""
    ended_at_ns: int | None

    @property
    def written_back(self) -> float | None:
        """Return what taking it back writes; ``None`` is BACnet's Null."""
        return self.safe if self.release is Release.SAFE_VALUE else None


Writables = Mapping[int, Writable]
"""Point key to what may be commanded."""
