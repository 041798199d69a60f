"""Checks a site file together with the profiles that its assets name, without a database and without a wire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from facility.clock import SystemClock
from facility.equipment import EquipmentClass
from facility.errors import ConfigurationError, Mistake
from facility.model import Facility, Point, SiteDescription
from facility.site_file import read_site
from facility.yaml_file import YamlFile, read_yaml
from gateway.drivers.driver import DriverConfig
from gateway.events import Delivery
from gateway.gateway import open_driver
from gateway.profiles import DeviceProfile, driver_configs, site_profiles

_WORD: Final = re.compile(r"[A-Za-z0-9._-]+")


def check_site(path: Path, classes: Mapping[str, EquipmentClass], environment: Mapping[str, str]) -> SiteDescription:
    """Read a site file and fit every asset to its profile, as the gateway will.

    Profiles are the shipped ones and those in ``profiles`` beside the file.

    Raises:
        ConfigurationError: Lists every mistake; those of an asset and its profile with the asset's line.
    """
    site = read_site(path, classes, environment)
    mistakes = list(_fit_mistakes(described_facility(site), site_profiles(path)))
    if mistakes:
        file = read_yaml(path)
        raise ConfigurationError(list(dict.fromkeys(_located(mistake, file, site) for mistake in mistakes)))
    return site


def described_facility(site: SiteDescription) -> Facility:
    """Return a site as the database would give it, with keys that mean nothing outside this process and no rules."""
    keys = count(1)
    points = [
        Point(key=next(keys), asset_id=asset.id, name=name, definition=definition)
        for asset in site.assets.values()
        for name, definition in asset.equipment_class.points.items()
    ]
    return Facility(
        site_id=site.site_id,
        name=site.name,
        time_zone=site.time_zone,
        spaces=site.spaces,
        connections=site.connections,
        assets=site.assets,
        points={point.key: point for point in points},
        rules={},
    )


def _fit_mistakes(facility: Facility, profiles: Mapping[str, DeviceProfile]) -> Iterator[Mistake]:
    try:
        configs = driver_configs(facility, profiles, clock=SystemClock(), deliver=_nowhere)
    except ConfigurationError as error:
        yield from error.mistakes
        return
    for config in configs:
        yield from _driver_mistakes(config)


def _driver_mistakes(config: DriverConfig) -> Iterator[Mistake]:
    """Say what the driver finds wrong; making one opens nothing."""
    try:
        open_driver(config)
    except ConfigurationError as error:
        yield from error.mistakes


def _nowhere(_delivery: Delivery) -> None:
    """Take nothing: no driver runs."""


def _located(mistake: Mistake, file: YamlFile, site: SiteDescription) -> Mistake:
    """Give a mistake the line of the asset that it names first; one that has a line of its own keeps it."""
    if mistake.line:
        return mistake
    lines = _asset_lines(file)
    for word in (*_WORD.findall(mistake.file), *_WORD.findall(mistake.message)):
        name = word.rstrip(".:")
        if name in site.assets:
            said = mistake.message if _says(mistake, name) else f"{mistake.file}: {mistake.message}"
            return replace(mistake, file=file.name, line=lines.get(name, 0), message=said)
    return mistake


def _says(mistake: Mistake, name: str) -> bool:
    return name in _WORD.findall(mistake.message.replace(":", " "))


def _asset_lines(file: YamlFile) -> dict[str, int]:
    return {entry["id"]: file.line(("assets", number)) for number, entry in enumerate(file.data["assets"])}
