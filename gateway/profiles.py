"""Device profiles: which register, topic or object of a make and model holds which point of a class.

A profile is one YAML file in ``gateway/profiles/``::

    profile: pump-vfd-a
    class: pump
    protocol: modbus
    settings: {unit: "{unit}", poll_s: 1.0}
    points:
      flow: {register: 2, type: float32}

Text in braces is an address parameter (:mod:`gateway.address`): each asset says its own value under ``address`` in
``site.yaml``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self, cast

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from facility.clock import Clock
from facility.errors import ConfigurationError, Mistake
from facility.grammar import validate
from facility.life_safety import refusal
from facility.model import Asset, Connection, Facility, Point, Protocol
from facility.yaml_file import YamlFile, did_you_mean, read_yaml
from gateway.address import filled, frozen, parameters, shifted
from gateway.commands.grammar import protocol_keys, write_findings
from gateway.conversion import CONVERSION_KEYS, PointConverter
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.events import ConnectionStatus, Delivery
from gateway.outflow import outflow_of
from gateway.reporting import Policy, RulesByPoint, policy_of, report_of, rules_by_point
from gateway.rollover import Totals

SHIPPED: Final = Path(__file__).with_name("profiles")
"""The folder of the profiles that come with Watchkeeper."""

BESIDE_SITE: Final = "profiles"
"""The folder beside a site file that holds the site's own profiles."""

WRITE: Final = "write"
"""The key of a point's entry that says how it may be written; a point without it may not."""

REPORT: Final = "report"
"""The key of a point's entry that says how it reports by exception; a point without it does as its class says."""

_APART: Final = frozenset({WRITE, REPORT})
"""Keys of a point's entry that are neither its place on the wire nor how it converts."""

SITE_FILE: Final = "site.yaml"
"""Named in mistakes of assets and connections."""


class DeviceProfile(BaseModel):
    """One make and model: how its points are reached and read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    """Name that assets use, equal to the file's stem."""
    equipment_class: str = Field(alias="class")
    """Class whose points it maps."""
    protocol: Protocol
    settings: dict[str, Any] = Field(default_factory=dict)
    """Device-wide settings of the protocol, such as ``poll_s``."""
    points: dict[str, dict[str, Any]] = Field(min_length=1)
    """Point name to where it is (the protocol's own keys) and how it reads (:data:`CONVERSION_KEYS`)."""

    _file: YamlFile | None = PrivateAttr(None)
    """``None`` for a profile that was made without one."""

    def mistake(self, point: str, message: str, *below: str | int) -> Mistake:
        """Return a mistake at a point's own line of the profile's file, or at a key below it."""
        if self._file is None:
            return Mistake(f"{self.profile}.yaml", 0, message)
        return self._file.mistake(("points", point, *below), message)

    def placed(self, file: YamlFile) -> Self:
        """Remember where the file says each point, for mistakes that show up later."""
        self._file = file
        return self


def load_profiles(folder: Path | None = None) -> dict[str, DeviceProfile]:
    """Return every profile of a folder by name; of the shipped folder when none is given.

    Raises:
        ConfigurationError: Files have mistakes; lists those of all files.
    """
    mistakes: list[Mistake] = []
    read = [(path.stem, _read(path, mistakes)) for path in sorted((folder or SHIPPED).glob("*.yaml"))]
    if mistakes:
        raise ConfigurationError(mistakes)
    return {name: profile for name, profile in read if profile is not None}


def site_profiles(site_file: Path) -> dict[str, DeviceProfile]:
    """Return the shipped profiles and those in the folder ``profiles`` beside a site file; see :func:`all_profiles`."""
    return all_profiles(site_file.parent / BESIDE_SITE)


def all_profiles(folder: Path) -> dict[str, DeviceProfile]:
    """Return the shipped profiles and those of a folder, which need not exist.

    Raises:
        ConfigurationError: Files have mistakes, or a profile has the name of a shipped one.
    """
    shipped, own = load_profiles(), load_profiles(folder)
    mistakes = [
        Mistake(str(folder / f"{name}.yaml"), 0, f"a shipped profile is called {name!r}; rename file and profile")
        for name in shipped.keys() & own.keys()
    ]
    if mistakes:
        raise ConfigurationError(mistakes)
    return {**shipped, **own}


def driver_configs(
    facility: Facility,
    profiles: Mapping[str, DeviceProfile],
    *,
    clock: Clock,
    deliver: Callable[[Delivery], None],
    totals: Totals | None = None,
) -> list[DriverConfig]:
    """Return what each driver needs: one configuration per connection that has assets.

    Args:
        facility: The site as it is.
        profiles: Device profiles by name.
        clock: The gateway's.
        deliver: Takes what the drivers read, after :mod:`gateway.outflow`; safe from any thread.
        totals: Turns of the counters that begin again; ``None``: they are forgotten with the process.

    Raises:
        ConfigurationError: Assets and profiles do not fit together; lists every mistake.
    """
    mistakes: list[Mistake] = []
    rules = rules_by_point(facility)
    devices: dict[str, list[DeviceConfig]] = {connection: [] for connection in facility.connections}
    for asset in facility.assets.values():
        found = list(_asset_mistakes(facility, profiles, asset))
        mistakes += found
        if not found:
            profile = profiles[asset.profile]
            reports = _reports(facility, profile, asset, rules, mistakes)
            devices[asset.connection_id].append(_device(facility, profile, asset, reports))
    for connection_devices in devices.values():
        mistakes += _shared_addresses(profiles, connection_devices)
    if mistakes:
        raise ConfigurationError(list(dict.fromkeys(mistakes)))
    configs = [
        DriverConfig(
            connection=facility.connections[connection],
            devices=tuple(found_devices),
            clock=clock,
            deliver=deliver,
            status=ConnectionStatus(connection_id=connection),
        )
        for connection, found_devices in devices.items()
        if found_devices
    ]
    shared = totals or Totals()
    return [replace(config, deliver=outflow_of(config, shared)) for config in configs]


def report_policies(facility: Facility, profiles: Mapping[str, DeviceProfile]) -> dict[int, Policy]:
    """Return when values are news, by the keys of the points that report by exception: it depends on their rules.

    Raises:
        ConfigurationError: A point must not report by exception as its rules are; lists every mistake.
    """
    mistakes: list[Mistake] = []
    reporting = [asset for asset in facility.assets.values() if _may_report(asset, profiles)]
    rules = rules_by_point(facility) if reporting else {}
    found: dict[int, Policy] = {}
    for asset in reporting:
        policies = _reports(facility, profiles[asset.profile], asset, rules, mistakes)
        found |= {point.key: policies[point.name] for point in facility.points_of(asset.id) if point.name in policies}
    if mistakes:
        raise ConfigurationError(list(dict.fromkeys(mistakes)))
    return found


def _may_report(asset: Asset, profiles: Mapping[str, DeviceProfile]) -> bool:
    """Tell whether a point of an asset may report by exception."""
    profile, points = profiles.get(asset.profile), asset.equipment_class.points
    return profile is not None and any(
        REPORT in entry or (name in points and points[name].report is not None)
        for name, entry in profile.points.items()
    )


def _read(path: Path, mistakes: list[Mistake]) -> DeviceProfile | None:
    try:
        file = read_yaml(path)
    except ConfigurationError as error:
        mistakes.extend(error.mistakes)
        return None
    profile = validate(DeviceProfile, file, file.data, mistakes)
    if profile is None:
        return None
    if profile.profile != path.stem:
        message = f"the file is named {path.name}, so write 'profile: {path.stem}'"
        mistakes.append(file.mistake(("profile",), message))
    return profile.placed(file)


def _asset_mistakes(facility: Facility, profiles: Mapping[str, DeviceProfile], asset: Asset) -> Iterator[Mistake]:
    """Say everything that keeps an asset from being read."""
    profile = profiles.get(asset.profile)
    if profile is None:
        message = f"{asset.id}: no profile {asset.profile!r}{did_you_mean(asset.profile, profiles)}"
        yield Mistake(SITE_FILE, 0, message)
        return
    yield from _fit_mistakes(facility.connections.get(asset.connection_id), profile, asset)
    if profile.equipment_class == asset.equipment_class.name:
        yield from _point_mistakes(profile, facility.points_of(asset.id), asset)
        yield from _command_mistakes(facility, profile, asset)
    yield from _address_mistakes(profile, asset)


def _address_mistakes(profile: DeviceProfile, asset: Asset) -> Iterator[Mistake]:
    """Say which address parameters are missing or no numbers where the profile adds to them."""
    templates = [profile.settings, profile.points]
    missing = sorted(parameters(templates) - set(asset.address))
    if missing:
        message = f"{asset.id}: profile {profile.profile!r} needs {', '.join(missing)} under 'address'"
        yield Mistake(SITE_FILE, 0, message)
    for name in sorted(shifted(templates) & set(asset.address)):
        if not str(asset.address[name]).isdecimal():
            yield Mistake(SITE_FILE, 0, f"{asset.id}: {name} is {asset.address[name]!r}; write a whole number")


def _fit_mistakes(connection: Connection | None, profile: DeviceProfile, asset: Asset) -> Iterator[Mistake]:
    """Say where profile, connection and class do not belong together."""
    if connection is None:
        yield Mistake(SITE_FILE, 0, f"{asset.id}: no connection {asset.connection_id!r}; add it under 'connections'")
    elif connection.protocol is not profile.protocol:
        message = (
            f"{asset.id}: profile {profile.profile!r} speaks {profile.protocol}, but connection {connection.id!r} "
            f"is {connection.protocol}; choose another one of the two"
        )
        yield Mistake(SITE_FILE, 0, message)
    if profile.equipment_class != asset.equipment_class.name:
        message = (
            f"{asset.id}: profile {profile.profile!r} is for class {profile.equipment_class!r}, but the asset is a "
            f"{asset.equipment_class.name!r}; choose another profile"
        )
        yield Mistake(SITE_FILE, 0, message)


def _point_mistakes(profile: DeviceProfile, points: Iterable[Point], asset: Asset) -> Iterator[Mistake]:
    """Say which mapped points the class does not have or cannot be converted to."""
    known = asset.equipment_class.points
    for name in profile.points.keys() - known.keys():
        message = f"class {profile.equipment_class!r} has no point {name!r}{did_you_mean(name, known)}"
        yield profile.mistake(name, message)
    for point in points:
        if point.name in profile.points:
            try:
                PointConverter(point, profile.points[point.name])
            except ConfigurationError as error:
                yield from (profile.mistake(point.name, f"{point.name}: {each.message}") for each in error.mistakes)


def _command_mistakes(facility: Facility, profile: DeviceProfile, asset: Asset) -> Iterator[Mistake]:
    """Say what is wrong with the profile's ``write`` entries, and which commands of the asset have none."""
    for name, mapping in profile.points.items():
        if WRITE in mapping and name in asset.equipment_class.points:
            for place, message in write_findings(asset.equipment_class, name, mapping[WRITE], profile.protocol):
                yield profile.mistake(name, f"{name}: {message}", WRITE, *place)
    for name in asset.commands:
        if WRITE not in profile.points.get(name, {}):
            message = (
                f"{asset.id}: profile {profile.profile!r} does not say how to write {name}; add a 'write' entry there"
            )
            yield Mistake(SITE_FILE, 0, message)
        if reason := refusal(facility.assets, asset, name):
            yield Mistake(SITE_FILE, 0, f"{asset.id}: {reason}; remove {name} from 'commands'")


def _device(facility: Facility, profile: DeviceProfile, asset: Asset, reports: Mapping[str, Policy]) -> DeviceConfig:
    points = cast("dict[str, dict[str, Any]]", filled(profile.points, asset.address))
    return DeviceConfig(
        asset=asset,
        points=tuple(point for point in facility.points_of(asset.id) if point.name in profile.points),
        settings=cast("dict[str, Any]", filled(profile.settings, asset.address)),
        mapping={name: {key: each[key] for key in each if key not in _APART} for name, each in points.items()},
        writes={name: protocol_keys(each[WRITE]) for name, each in points.items() if WRITE in each},
        reports=reports,
    )


def _reports(
    facility: Facility, profile: DeviceProfile, asset: Asset, rules: RulesByPoint, mistakes: list[Mistake]
) -> dict[str, Policy]:
    """Return when values are news, for the points of an asset that report by exception."""
    policies: dict[str, Policy] = {}
    plans = asset.equipment_class.maintenance.values()
    for point in facility.points_of(asset.id):
        try:
            report = report_of(point, profile.points.get(point.name, {}).get(REPORT))
            if report is not None and point.name in profile.points:
                policies[point.name] = policy_of(point, report, rules.get(point.key, ()), plans)
        except ValueError as error:
            mistakes.append(profile.mistake(point.name, f"{point.name}: {error}"))
    return policies


def _shared_addresses(profiles: Mapping[str, DeviceProfile], devices: Iterable[DeviceConfig]) -> Iterator[Mistake]:
    """Say which assets of one connection claim a place on the wire that another one has claimed."""
    owners: dict[object, Point] = {}
    clashes: Counter[tuple[str, str]] = Counter()
    for device in devices:
        own_settings = _own_settings(profiles[device.asset.profile], device)
        for point in device.points:
            place = {key: value for key, value in device.mapping[point.name].items() if key not in CONVERSION_KEYS}
            owner = owners.setdefault(frozen([own_settings, place]), point)
            if owner.asset_id != point.asset_id:
                clashes[owner.asset_id, point.asset_id] += 1
    for (first, second), count in clashes.items():
        message = f"{second} has the same address as {first} ({count} points); give each its own under 'address'"
        yield Mistake(SITE_FILE, 0, message)


def _own_settings(profile: DeviceProfile, device: DeviceConfig) -> dict[str, object]:
    """Return the settings that differ by asset, such as the Modbus unit: they are part of the address."""
    return {key: device.settings[key] for key, value in profile.settings.items() if parameters(value)}
