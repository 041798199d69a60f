"""Sites, spaces, assets and points: what a facility consists of.

``site.yaml`` describes them (:mod:`facility.site_file`), the database keeps them (:mod:`facility.storage.tables`), and
all later stages take these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointDefinition, RuleDefinition
from facility.holidays import NO_HOLIDAYS, Holidays
from facility.priority import SHIPPED_MATRIX, PriorityMatrix


class Protocol(StrEnum):
    """The field protocols that a connection can speak."""

    MQTT = "mqtt"
    MODBUS = "modbus"
    BACNET_IP = "bacnet-ip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A building, floor, zone or room."""

    id: str
    name: LocalText
    kind: str
    """``building``, ``floor``, ``zone`` or ``room``."""
    parent: str | None = None
    """The enclosing space's id; ``None`` for the outermost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One broker, Modbus line or BACnet device that the gateway opens."""

    id: str
    protocol: Protocol
    host: str
    """Empty on a serial line."""
    port: int
    """0 on a serial line."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Protocol's own settings, checked by the protocol's entry in :data:`facility.connections.OPTIONS`.

    Not in the representation, since a password may be among them.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of one asset."""

    key: int
    """Primary key in the database, and the ``point`` column of every batch."""
    asset_id: str
    name: str
    """Name within the asset's class, such as ``flow``."""
    definition: PointDefinition

    @property
    def address(self) -> str:
        """Return the name people use, such as ``pump-1/flow``."""
        return f"{self.asset_id}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of one asset: the class's definition with the asset's overrides applied."""

    id: int
    """Primary key in the database, and the ``rule`` of every transition."""
    asset_id: str
    point_key: int
    definition: RuleDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A lift, pump, panel, detector or door."""

    id: str
    name: LocalText
    equipment_class: EquipmentClass
    space_id: str
    parent_id: str | None = None
    """The asset it belongs to (a detector's panel); ``None`` when it stands alone."""
    connection_id: str
    profile: str
    """Name of the device profile in ``gateway/profiles``."""
    address: Mapping[str, Any] = field(default_factory=dict)
    """The profile's parameters for this device: ``root`` of its topics, Modbus ``unit``, BACnet ``instance``."""
    commands: tuple[str, ...] = ()
    """Names of the points that people may command here; the profile must say how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenConnection:
    """A connection's address as people wrote it, references to the environment unresolved: what may be stored."""

    host: str
    port: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDescription:
    """A site as its file describes it, checked but without database keys."""

    site_id: str
    name: LocalText
    time_zone: str
    """IANA name, such as ``Asia/Shanghai``."""
    spaces: Mapping[str, Space]
    connections: Mapping[str, Connection]
    assets: Mapping[str, Asset]
    rules: Mapping[str, Mapping[str, RuleDefinition]]
    """Asset id to rule name to the class's rule with the asset's overrides applied; a rule switched off is absent."""
    written_connections: Mapping[str, WrittenConnection] = field(default_factory=dict)
    """Connection id to how the file writes it; a connection that is absent here has no references."""
    priority_matrix: PriorityMatrix = SHIPPED_MATRIX
    """What the priorities of its rules are computed by."""
    holidays: Holidays = NO_HOLIDAYS


class PointsByAsset:
    """Every asset's points in order; searched for each asset, 40,000 points would take seconds."""

    def __init__(self, points: Mapping[int, Point]) -> None:
        self.points = points
        self._found: dict[str, list[Point]] = {}
        for point in points.values():
            self._found.setdefault(point.asset_id, []).append(point)

    def of(self, asset_id: str) -> list[Point]:
        """Return an asset's points."""
        return list(self._found.get(asset_id, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A whole site as it stands in the database: everything later stages need, by key."""

    site_id: str
    name: LocalText
    time_zone: str
    """IANA name, such as ``Asia/Shanghai``."""
    spaces: Mapping[str, Space]
    connections: Mapping[str, Connection]
    assets: Mapping[str, Asset]
    points: Mapping[int, Point]
    rules: Mapping[int, Rule]
    priority_matrix: PriorityMatrix = SHIPPED_MATRIX
    """What the priorities of its rules are computed by."""
    holidays: Holidays = NO_HOLIDAYS
    archive: Facility | None = None
    """The site with all that it ever had, retired or not; ``None``: nothing was ever retired."""
    points_by_asset: PointsByAsset = field(default_factory=lambda: PointsByAsset({}), repr=False, compare=False)
    """Made of ``points``; a version of the site with other rules takes it along."""

    def __post_init__(self) -> None:
        if self.points_by_asset.points is not self.points:
            object.__setattr__(self, "points_by_asset", PointsByAsset(self.points))

    @property
    def ever(self) -> Facility:
        """Return the site with all that it ever had: for the words of what happened, never for what is watched."""
        return self.archive or self

    def differs_in_rules_alone(self, other: Facility) -> bool:
        """Tell whether all but rules is the same in another version of the site."""
        return self == replace(other, rules=self.rules, archive=self.archive)

    def points_of(self, asset_id: str) -> list[Point]:
        """Return an asset's points in the order of its class."""
        return self.points_by_asset.of(asset_id)
