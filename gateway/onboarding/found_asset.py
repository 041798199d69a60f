"""What a found device is thought to be, and what of it no draft uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.onboarding.found import FoundConnection, FoundPoint
from gateway.onboarding.readings import Reading


class Unmapped(NamedTuple):
    """A found point that no draft uses."""

    found: FoundPoint
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A found point that stands for one point of its asset's class."""

    found: FoundPoint
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAsset:
    """A device that the draft will name."""

    name: str
    """As the source calls it."""
    equipment_class: str
    members: Mapping[str, Member]
    """Point of the class to what stands for it."""
    reason: str
    """Why it is thought to be of this class."""
    profile: str = ""
    """A shipped profile that is known to fit; empty: none has been looked for."""
    address: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What became of the points of one connection."""

    connection: FoundConnection
    assets: tuple[FoundAsset, ...]
    unmapped: tuple[Unmapped, ...]
