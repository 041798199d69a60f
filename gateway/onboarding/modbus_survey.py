"""Which units of a Modbus line answer, what registers they have, and which shipped profile reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from facility.clock import Clock
from facility.definition import LocalText
from facility.equipment import EquipmentClass
from facility.errors import ConfigurationError, DeviceUnreachableError
from facility.model import Asset, Connection, Facility, Point, Protocol
from gateway.address import parameters
from gateway.drivers.modbus.discovery import RefusedReadError, SurveyedLine, surveyed_line
from gateway.onboarding.found import FoundConnection
from gateway.onboarding.found_asset import FoundAsset
from gateway.onboarding.imports import MODBUS_SETTINGS
from gateway.onboarding.probe import Probe, probe
from gateway.onboarding.register_scan import (
    Answer,
    Ask,
    Refusal,
    ScannedUnit,
    Silence,
    most_requests,
    scan,
)
from gateway.profiles import DeviceProfile

FIT_WITHIN_S = 10.0
"""Longest wall time that one profile is tried on one unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a survey asks for."""

    units: Sequence[int]
    first: int
    last: int
    function: int
    rate_hz: float

    def load(self, timeout_s: float) -> str:
        """Return in words what the survey will put on the line at most."""
        requests = len(self.units) * (2 + most_requests(self.first, self.last))
        minutes = requests / self.rate_hz / 60
        silence_s = 2 * timeout_s * len(self.units)
        return (
            f"Reads only: at most {requests} requests at {self.rate_hz:g} a second ({minutes:.1f} min), one after the "
            f"other, and {silence_s:g} s of waiting where no unit answers. A serial line's own master waits meanwhile."
        )


async def survey(connection: Connection, wanted: Wanted) -> AsyncIterator[ScannedUnit]:
    """Return each unit that answers, with the registers that it has.

    Raises:
        DeviceUnreachableError: Nobody answers at the connection's address at all.
        ConfigurationError: The connection's options have mistakes.
    """
    async with surveyed_line(connection, wanted.rate_hz) as line:
        for unit in wanted.units:
            if await _answers(line, unit, wanted):
                yield await scan(unit, _asking(line, unit, wanted.function), wanted.first, wanted.last)


async def fitting(
    connection: Connection,
    units: Iterable[ScannedUnit],
    function: int,
    *,
    classes: Mapping[str, EquipmentClass],
    shipped: Mapping[str, DeviceProfile],
    clock: Clock,
) -> list[tuple[ScannedUnit, list[str]]]:
    """Return for each unit the shipped profiles whose points it answers with possible values, the largest first."""
    tried: list[tuple[ScannedUnit, list[str]]] = []
    for unit in units:
        candidates = [each for each in shipped.values() if _could_fit(each, unit, function)]
        fits = [each for each in candidates if await _fits(connection, unit.unit, each, classes, clock)]
        tried.append((unit, [each.profile for each in sorted(fits, key=lambda each: -len(each.points))]))
    return tried


def unit_connection(connection: Connection, written: Mapping[str, str], identity: str) -> FoundConnection:
    """Return the line as a connection of a draft."""
    return FoundConnection(
        id=identity,
        protocol=Protocol.MODBUS,
        host=connection.host,
        port=str(connection.port) if connection.port else "",
        options=written,
        settings=MODBUS_SETTINGS,
    )


def unit_asset(unit: ScannedUnit, profiles: Sequence[str], shipped: Mapping[str, DeviceProfile]) -> FoundAsset:
    """Return a unit as an asset of the profile that fits it best."""
    profile = shipped[profiles[0]]
    others = f"; {', '.join(profiles[1:])} would fit too" if len(profiles) > 1 else ""
    return FoundAsset(
        name=f"{profile.equipment_class} {unit.unit}",
        equipment_class=profile.equipment_class,
        members={},
        reason=f"unit {unit.unit} answers every register of the profile {profile.profile} with possible values{others}",
        profile=profile.profile,
        address={"unit": unit.unit},
        notes=("Plausible numbers prove no layout: compare a few of them with the device's own display.",),
    )


async def _answers(line: SurveyedLine, unit: int, wanted: Wanted) -> bool:
    """Tell whether a unit says anything at all, be it a refusal; one lost answer is forgiven."""
    answer = await _asking(line, unit, wanted.function)(wanted.first, 1)
    return not isinstance(answer, Silence)


def _asking(line: SurveyedLine, unit: int, function: int) -> Ask:
    async def ask(start: int, registers: int) -> Answer:
        for _ in range(2):
            try:
                return await line.read(unit, function, start, registers)
            except RefusedReadError as error:
                return Refusal(error.code, str(error))
            except DeviceUnreachableError:
                continue
        return Silence()

    return ask


def _could_fit(profile: DeviceProfile, unit: ScannedUnit, function: int) -> bool:
    """Tell whether a profile's registers begin where the unit has some."""
    return (
        profile.protocol is Protocol.MODBUS
        and parameters([profile.settings, profile.points]) == {"unit"}
        and profile.settings.get("function", 3) == function
        and all(entry.get("register") in unit.values for entry in profile.points.values())
    )


async def _fits(
    connection: Connection, unit: int, profile: DeviceProfile, classes: Mapping[str, EquipmentClass], clock: Clock
) -> bool:
    facility = _one_unit(connection, unit, profile, classes[profile.equipment_class])
    try:
        found: Probe = await probe(facility, {profile.profile: profile}, "unit", clock=clock, within_s=FIT_WITHIN_S)
    except ConfigurationError:
        return False
    return found.is_good


def _one_unit(connection: Connection, unit: int, profile: DeviceProfile, equipment: EquipmentClass) -> Facility:
    keys = count(1)
    name = LocalText(en="unit", zh="unit")
    asset = Asset(
        id="unit",
        name=name,
        equipment_class=equipment,
        space_id="",
        connection_id=connection.id,
        profile=profile.profile,
        address={"unit": unit},
    )
    points = [
        Point(key=next(keys), asset_id=asset.id, name=point, definition=definition)
        for point, definition in equipment.points.items()
    ]
    return Facility(
        site_id="survey",
        name=name,
        time_zone="UTC",
        spaces={},
        connections={connection.id: connection},
        assets={asset.id: asset},
        points={point.key: point for point in points},
        rules={},
    )
