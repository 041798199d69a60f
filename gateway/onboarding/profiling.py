"""Which profile reads a found asset: a shipped one where its layout fits, otherwise one made for it.

A made profile says its places relative to an address, so that one serves all assets of the same layout.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from facility.equipment import EquipmentClass, PointDefinition
from facility.model import Protocol
from gateway.address import filled, frozen, parameters, solved
from gateway.conversion import CONVERSION_KEYS
from gateway.onboarding.found import FoundConnection
from gateway.onboarding.found_asset import FoundAsset, Recognised
from gateway.onboarding.names import asset_id
from gateway.onboarding.readings import QUANTITIES
from gateway.profiles import WRITE, DeviceProfile

ANCHORS: Final = {Protocol.BACNET_IP: ("instance", "object"), Protocol.MODBUS: ("first", "register")}
"""Protocol to the address parameter that its made profiles count from, and the key of an entry that counts."""

_OBJECT: Final = re.compile(r"(?P<type>[\w-]+),(?P<instance>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftAsset:
    """An asset as the draft of a site file will say it."""

    id: str
    found: FoundAsset
    connection: str
    profile: str
    address: Mapping[str, Any]
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftProfile:
    """A profile made for assets of one layout."""

    name: str
    equipment_class: str
    protocol: Protocol
    settings: Mapping[str, Any]
    points: Mapping[str, Mapping[str, Any]]
    comments: Mapping[str, str]
    """Point to what a person should look at."""
    assets: tuple[str, ...] = field(default=())
    """Names of the assets that it was made for."""


class Profiler:
    """Chooses and makes the profiles of one draft."""

    def __init__(self, classes: Mapping[str, EquipmentClass], shipped: Mapping[str, DeviceProfile]) -> None:
        self.made: dict[str, DraftProfile] = {}
        """By name."""
        self._classes = classes
        self._shipped = shipped
        self._ids: set[str] = set()

    def assets(self, recognised: Recognised) -> list[DraftAsset]:
        """Return the assets of a connection with their profiles and addresses."""
        connection = recognised.connection
        placed = {place: self._of_shipped(asset, connection) for place, asset in enumerate(recognised.assets)}
        rest = {place: asset for place, asset in enumerate(recognised.assets) if placed[place] is None}
        for group in _by_layout(rest, connection).values():
            placed.update(self._of_made(group, connection))
        drafts = [
            self._draft(asset, connection, *chosen)
            for place, asset in enumerate(recognised.assets)
            if (chosen := placed[place]) is not None
        ]
        return _with_parents(drafts)

    def _draft(
        self, asset: FoundAsset, connection: FoundConnection, profile: str, address: Mapping[str, Any]
    ) -> DraftAsset:
        identity = asset_id(asset.name, asset.equipment_class, self._ids)
        self._ids.add(identity)
        return DraftAsset(id=identity, found=asset, connection=connection.id, profile=profile, address=address)

    def _of_shipped(self, asset: FoundAsset, connection: FoundConnection) -> tuple[str, dict[str, Any]] | None:
        """Return the shipped profile that says the same of every point, and the address with which it does."""
        if asset.profile:
            return asset.profile, dict(asset.address)
        if connection.protocol is Protocol.MODBUS:
            return None  # a device's word order and function stand in its settings; only a reading tells that they fit
        points = self._classes[asset.equipment_class].points
        fits = [
            (len(address), profile.profile, address)
            for profile in self._shipped.values()
            if profile.protocol is connection.protocol
            and profile.equipment_class == asset.equipment_class
            and (address := _solution(profile, asset, points)) is not None
        ]
        return next(((name, address) for _, name, address in sorted(fits, key=lambda fit: fit[:2])), None)

    def _of_made(
        self, group: Mapping[int, FoundAsset], connection: FoundConnection
    ) -> Iterator[tuple[int, tuple[str, dict[str, Any]]]]:
        """Make the profile of one layout; give each of its assets the address with which it fits."""
        first = next(iter(group.values()))
        relative = _layouts(group.values(), connection.protocol)
        templates, addresses = _anchored(group, connection.protocol) if len(relative) == 1 else _by_point(group)
        name = asset_id(f"{first.equipment_class}-{connection.id}", first.equipment_class, {*self._shipped, *self.made})
        self.made[name] = DraftProfile(
            name=name,
            equipment_class=first.equipment_class,
            protocol=connection.protocol,
            settings=_settings(connection, first),
            points={point: {**templates[point], **member.reading.keys} for point, member in first.members.items()},
            comments={point: _comment(first, point) for point in first.members},
            assets=tuple(asset.name for asset in group.values()),
        )
        for place, asset in group.items():
            yield place, (name, {**_given_address(asset), **addresses[place]})


def _by_layout(assets: Mapping[int, FoundAsset], connection: FoundConnection) -> dict[object, dict[int, FoundAsset]]:
    """Return the assets by everything that one profile must have in common, which places on the wire need not."""
    groups: defaultdict[object, dict[int, FoundAsset]] = defaultdict(dict)
    for place, asset in assets.items():
        layout = {
            point: [_kind_of_place(member.found.entry, connection.protocol), dict(member.reading.keys)]
            for point, member in asset.members.items()
        }
        groups[asset.equipment_class, frozen(layout), frozenset(_given_address(asset))][place] = asset
    return dict(groups)


def _kind_of_place(entry: Mapping[str, Any], protocol: Protocol) -> dict[str, Any]:
    """Return an entry without the number that differs by asset."""
    _, key = ANCHORS.get(protocol, ("", ""))
    if key == "object":
        return {**entry, key: str(entry[key]).partition(",")[0]}
    return {name: value for name, value in entry.items() if name != key}


def _layouts(assets: Iterable[FoundAsset], protocol: Protocol) -> set[object]:
    """Return the different distances that the assets' places have from each other."""
    return {
        frozen({point: number - min(numbers.values()) for point, number in numbers.items()})
        for asset in assets
        if (numbers := _numbers(asset, protocol))
    } or {None}


def _numbers(asset: FoundAsset, protocol: Protocol) -> dict[str, int]:
    """Return each point's instance or register; empty where places have no numbers."""
    _, key = ANCHORS.get(protocol, ("", ""))
    if not key:
        return {}
    return {point: int(str(member.found.entry[key]).rpartition(",")[2]) for point, member in asset.members.items()}


Templates = tuple[dict[str, Mapping[str, Any]], dict[int, dict[str, Any]]]
"""Point to its entry with parameters, and each asset's address."""


def _anchored(group: Mapping[int, FoundAsset], protocol: Protocol) -> Templates:
    """Count all places from each asset's first one; a layout that only one asset has stays as it is."""
    parameter, key = ANCHORS.get(protocol, ("", ""))
    first = next(iter(group.values()))
    plain: dict[str, Mapping[str, Any]] = {point: member.found.entry for point, member in first.members.items()}
    starts = {place: min(_numbers(asset, protocol).values(), default=0) for place, asset in group.items()}
    if not key or len(set(starts.values())) == 1:
        return plain, {place: {} for place in group}
    start = min(_numbers(first, protocol).values())
    return {
        point: {**entry, key: _shifted(entry[key], parameter, _numbers(first, protocol)[point] - start)}
        for point, entry in plain.items()
    }, {place: {parameter: number} for place, number in starts.items()}


def _by_point(group: Mapping[int, FoundAsset]) -> Templates:
    """Give every point a parameter of its own: the assets' places have nothing in common."""
    first = next(iter(group.values()))
    templates: dict[str, Mapping[str, Any]] = {}
    for point, member in first.members.items():
        key = "object" if "object" in member.found.entry else "register"
        templates[point] = {**member.found.entry, key: _shifted(member.found.entry[key], point, 0)}
    addresses: dict[int, dict[str, Any]] = {
        place: {
            point: int(str(member.found.entry.get("object", member.found.entry.get("register"))).rpartition(",")[2])
            for point, member in asset.members.items()
        }
        for place, asset in group.items()
    }
    return templates, addresses


def _shifted(place: object, parameter: str, shift: int) -> str:
    """Return a place with a parameter where its number was."""
    reference = f"{{{parameter} + {shift}}}" if shift else f"{{{parameter}}}"
    found = _OBJECT.fullmatch(str(place))
    return f"{found['type']},{reference}" if found else reference


def _settings(connection: FoundConnection, asset: FoundAsset) -> dict[str, Any]:
    """Return the connection's settings, without those for which the asset's address has no parameter."""
    known = _given_address(asset).keys()
    return {key: value for key, value in connection.settings.items() if parameters(value) <= known}


def _given_address(asset: FoundAsset) -> dict[str, Any]:
    return dict(next(iter(asset.members.values())).found.address)


def _comment(asset: FoundAsset, point: str) -> str:
    member = asset.members[point]
    said = f"{member.found.name!r}" + (f", {member.found.description}" if member.found.description else "")
    return f"{said}; {member.reading.note}" if member.reading.note else said


def _solution(
    profile: DeviceProfile, asset: FoundAsset, points: Mapping[str, PointDefinition]
) -> dict[str, Any] | None:
    """Return the address with which a profile says of the asset's points what was found; ``None`` where it does not."""
    if profile.points.keys() != asset.members.keys():
        return None
    address: dict[str, Any] = {}
    for point, member in asset.members.items():
        found = {**filled_entry(member.found.entry, member.found.address), **member.reading.keys}
        if not _same_reading(profile.points[point], found, points[point]):
            return None
        for key in _places(profile.points[point]) | _places(found):
            solution = solved(profile.points[point].get(key), found.get(key))
            if solution is None or any(address.setdefault(name, value) != value for name, value in solution.items()):
                return None
    return None if parameters(profile.settings) - address.keys() else address


def filled_entry(entry: Mapping[str, Any], address: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with the asset's own address in it."""
    return {key: filled(value, address) for key, value in entry.items()}


def _places(entry: Mapping[str, Any]) -> set[str]:
    return set(entry) - CONVERSION_KEYS - {WRITE}


def _same_reading(said: Mapping[str, Any], found: Mapping[str, Any], definition: PointDefinition) -> bool:
    """Tell whether two entries convert alike."""
    if definition.kind in QUANTITIES:
        return all(
            said.get(key, default) == found.get(key, default)
            for key, default in (("scale", 1.0), ("offset", 0.0), ("unit", definition.unit))
        )
    return _states(said, definition) == _states(found, definition) or "states" not in found


def _states(entry: Mapping[str, Any], definition: PointDefinition) -> dict[str, Any]:
    states = entry.get("states", {name: name for name in definition.states})
    return {str(wire): state for wire, state in states.items()}


def _with_parents(drafts: Sequence[DraftAsset]) -> list[DraftAsset]:
    """Hang detectors and call points below the one panel of their connection."""
    panels = [draft.id for draft in drafts if draft.found.equipment_class == "fire-panel"]
    if len(panels) != 1:
        return list(drafts)
    return [
        DraftAsset(
            id=draft.id,
            found=draft.found,
            connection=draft.connection,
            profile=draft.profile,
            address=draft.address,
            parent=None if draft.id == panels[0] else panels[0],
        )
        for draft in drafts
    ]
