"""What gateways that run apart are to read, as the engine says it on the bus.

It comes out of the engine's database, so that both sides mean the same point by a key. References to the environment
travel unresolved: addresses and passwords of devices stay where the devices are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from facility.connections import resolved_connection
from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointDefinition, RuleDefinition
from facility.errors import ConfigurationError, Mistake, WatchkeeperError
from facility.life_safety import refusal
from facility.model import Asset, Connection, Facility, Point, Protocol, Rule, WrittenConnection
from facility.rule_inputs import RuleInputs
from gateway.profiles import DeviceProfile

VERSION: Final = 2
"""2: a rule carries its consequence class, and its priority is computed."""
_PLACE: Final = "configuration from the engine"


class SiteMessageError(WatchkeeperError):
    """A message on the bus is no configuration of this version."""

    title = "Not a configuration"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)  # what a newer engine says besides is left out


class _Connection(_Record):
    protocol: Protocol
    host: str
    port: str
    options: dict[str, Any]


class _Asset(_Record):
    name: LocalText
    equipment_class: str
    space_id: str
    parent_id: str | None
    connection_id: str
    profile: str
    address: dict[str, Any]
    commands: list[str]


class _Point(_Record):
    asset_id: str
    name: str
    definition: PointDefinition


class _Rule(_Record):
    asset_id: str
    point_key: int
    definition: RuleDefinition


class _Versioned(_Record):
    version: int


class _Site(_Versioned):
    site_id: str
    name: LocalText
    time_zone: str
    classes: dict[str, EquipmentClass]
    connections: dict[str, _Connection]
    assets: dict[str, _Asset]
    points: dict[int, _Point]
    rules: dict[int, _Rule]
    profiles: dict[str, DeviceProfile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site as a gateway needs it."""

    facility: Facility
    """Without spaces and archive. Its rules say which values must not be left out as hardly moved."""
    profiles: Mapping[str, DeviceProfile]
    """Those that its assets name."""
    revision: str
    """Differs when anything in it does."""

    @property
    def life_safety(self) -> frozenset[int]:
        """Return the keys of the points that a life-safety rule reads."""
        return RuleInputs(self.facility).of_life_safety()


def encode(
    facility: Facility, written: Mapping[str, WrittenConnection], profiles: Mapping[str, DeviceProfile]
) -> bytes:
    """Return the site as JSON.

    Args:
        facility: From the engine's database.
        written: Its connections as people wrote them, by id.
        profiles: The shipped device profiles and the site's own, by name.
    """
    used = {asset.profile for asset in facility.assets.values()}
    site = _Site(
        version=VERSION,
        site_id=facility.site_id,
        name=facility.name,
        time_zone=facility.time_zone,
        classes={asset.equipment_class.name: asset.equipment_class for asset in facility.assets.values()},
        connections={
            key: _Connection(protocol=connection.protocol, **_fields(written[key]))
            for key, connection in facility.connections.items()
        },
        assets={key: _asset(facility, asset) for key, asset in facility.assets.items()},
        points={
            key: _Point(asset_id=point.asset_id, name=point.name, definition=point.definition)
            for key, point in facility.points.items()
        },
        rules={
            key: _Rule(asset_id=rule.asset_id, point_key=rule.point_key, definition=rule.definition)
            for key, rule in facility.rules.items()
        },
        profiles={name: profile for name, profile in profiles.items() if name in used},
    )
    return site.model_dump_json(by_alias=True).encode()


def decode(payload: bytes, environment: Mapping[str, str], *, only: frozenset[str] = frozenset()) -> Site:
    """Return the site with its references resolved here.

    Args:
        payload: From :func:`encode`.
        environment: Variables that its connections refer to.
        only: Connections that this gateway reads; empty for all.

    Raises:
        SiteMessageError: It is no configuration of this version.
        ConfigurationError: A variable is missing, or a connection that this gateway is to read does not exist.
    """
    try:
        version = _Versioned.model_validate_json(payload).version
        if version != VERSION:
            raise SiteMessageError(f"The engine's configuration is of version {version}. {_SAME_VERSION}")
        site = _Site.model_validate_json(payload)
    except ValidationError as error:
        raise SiteMessageError(f"The engine's configuration cannot be read: {error}. {_SAME_VERSION}") from error
    connections = _connections(site, environment, only)
    assets = {
        key: _asset_of(key, asset, site) for key, asset in site.assets.items() if asset.connection_id in connections
    }
    points = {
        key: Point(key=key, asset_id=point.asset_id, name=point.name, definition=point.definition)
        for key, point in site.points.items()
        if point.asset_id in assets
    }
    facility = Facility(
        site_id=site.site_id,
        name=site.name,
        time_zone=site.time_zone,
        spaces={},
        connections=connections,
        assets=assets,
        points=points,
        rules={
            key: Rule(id=key, asset_id=rule.asset_id, point_key=rule.point_key, definition=rule.definition)
            for key, rule in site.rules.items()
            if rule.point_key in points
        },
    )
    revision = hashlib.sha256(payload).hexdigest()[:12]
    return Site(facility=facility, profiles=site.profiles, revision=revision)


_SAME_VERSION: Final = "Run the same version of Watchkeeper on both sides."


def _fields(written: WrittenConnection) -> dict[str, Any]:
    return {"host": written.host, "port": written.port, "options": dict(written.options)}


def _asset(facility: Facility, asset: Asset) -> _Asset:
    return _Asset(
        name=asset.name,
        equipment_class=asset.equipment_class.name,
        space_id=asset.space_id,
        parent_id=asset.parent_id,
        connection_id=asset.connection_id,
        profile=asset.profile,
        address=dict(asset.address),
        # A gateway that reads only some connections may not know the fire panel that an asset belongs to.
        commands=[name for name in asset.commands if refusal(facility.assets, asset, name) is None],
    )


def _asset_of(asset_id: str, asset: _Asset, site: _Site) -> Asset:
    return Asset(
        id=asset_id,
        name=asset.name,
        equipment_class=site.classes[asset.equipment_class],
        space_id=asset.space_id,
        parent_id=asset.parent_id,
        connection_id=asset.connection_id,
        profile=asset.profile,
        address=asset.address,
        commands=tuple(asset.commands),
    )


def _connections(site: _Site, environment: Mapping[str, str], only: frozenset[str]) -> dict[str, Connection]:
    mistakes = [
        Mistake(
            "WATCHKEEPER_GATEWAY_CONNECTIONS", 0, f"there is no connection {name!r}; the site's are {_listed(site)}"
        )
        for name in sorted(only - site.connections.keys())
    ]
    found: dict[str, Connection] = {}
    for key, connection in site.connections.items():
        if only and key not in only:
            continue
        written = WrittenConnection(host=connection.host, port=connection.port, options=connection.options)
        found[key], findings = resolved_connection(key, connection.protocol, written, environment)
        mistakes += [
            Mistake(_PLACE, 0, f"connection {key}, {'.'.join(map(str, place))}: {text}") for place, text in findings
        ]
    if mistakes:
        raise ConfigurationError(mistakes)
    return found


def _listed(site: _Site) -> str:
    return ", ".join(site.connections)
