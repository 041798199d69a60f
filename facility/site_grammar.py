"""The grammar of a site file; :mod:`facility.site_file` explains it and reads it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from facility.definition import Definition, LocalText
from facility.holidays import NO_HOLIDAYS, Holidays
from facility.model import Protocol
from facility.priority import ConsequenceClass, Priority, ResponseBand

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
"""Ids stand in topics, addresses of pages and file names."""


def _in_both_languages(name: object) -> object:
    return {"en": name, "zh": name} if isinstance(name, str) else name


def _as_list(entries: object) -> object:
    return [] if entries is None else entries


Name = Annotated[LocalText, BeforeValidator(_in_both_languages)]
"""A name in two languages, or one text for both."""


class SiteEntry(Definition):
    """The site itself."""

    id: Id
    name: Name
    time_zone: str
    holidays: Holidays = NO_HOLIDAYS
    """Those of the country, and the site's own (:mod:`facility.holidays`)."""


class SpaceEntry(Definition):
    """A building, floor, zone or room."""

    id: Id
    kind: Literal["building", "floor", "zone", "room"]
    name: Name | None = None
    parent: str | None = None


class ConnectionEntry(Definition):
    """A broker, Modbus line or BACnet device."""

    id: Id
    protocol: Protocol
    host: str = ""
    """Empty on a serial line, which has neither; everywhere else it must be there."""
    port: int | str = ""
    options: dict[str, Any] = Field(default_factory=dict)


class AssetDefaults(Definition):
    """What the assets of one class have in common in this site."""

    space: str | None = None
    parent: str | None = None
    connection: str | None = None
    profile: str | None = None
    address: dict[str, Any] = Field(default_factory=dict)
    commands: list[str] = Field(default_factory=list)
    """Points that people may command; absent: none."""


class AssetEntry(AssetDefaults):
    """A lift, pump, panel, detector or door."""

    id: Id
    class_name: str = Field(alias="class")
    name: Name | None = None
    rules: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By name: what it changes of its class's rule, or a whole rule of its own (:mod:`facility.overrides`)."""


class SiteGrammar(Definition):
    """The whole file."""

    site: SiteEntry
    priority_matrix: dict[ConsequenceClass, dict[ResponseBand, Priority]] = Field(default_factory=dict)
    """What differs from the shipped matrix; a complete one is welcome."""
    spaces: Annotated[list[SpaceEntry], BeforeValidator(_as_list)] = Field(default_factory=list)
    connections: Annotated[list[ConnectionEntry], BeforeValidator(_as_list)] = Field(default_factory=list)
    defaults: dict[str, AssetDefaults] = Field(default_factory=dict)
    assets: Annotated[list[AssetEntry], BeforeValidator(_as_list)] = Field(default_factory=list)
