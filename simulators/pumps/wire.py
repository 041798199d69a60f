"""Pumps on a Modbus TCP line, as `docs/wire.md` lays their registers out."""

from __future__ import annotations

from collections.abc import Sequence

from facility.clock import Clock
from facility.errors import ConfigurationError, Mistake
from facility.model import Asset, Connection
from simulators.device import SimulatedDevice
from simulators.modbus import Setting, Unit, serving
from simulators.pumps.pump import Pump
from simulators.pumps.registers import REGISTER_MAPS, RegisterMap
from simulators.wire import ticks

STEP_S = 0.1
"""Facility seconds between two looks of a drive at its sensors."""


class PumpWire:
    """One Modbus TCP server with a unit for each pump.

    An asset's address gives its ``unit`` and, if it has one, ``run_hours``: what the pump's meter shows at the start.
    """

    def __init__(self, connection: Connection, assets: Sequence[Asset], *, clock: Clock, seed: int) -> None:
        """Build the pumps; opens nothing yet.

        Args:
            connection: Where the line listens.
            assets: Pumps with a profile of ``REGISTER_MAPS`` and a unit of their own.
            clock: The facility time that the pumps live on.
            seed: The simulation's seed.

        Raises:
            ConfigurationError: An asset has a profile that pumps do not speak, or a unit twice or none.
        """
        self._connection = connection
        self._clock = clock
        self._pumps = [_pump(asset, seed) for asset in assets]
        self._units = _units(assets, self._pumps)

    @property
    def devices(self) -> Sequence[SimulatedDevice]:
        """Return the pumps."""
        return self._pumps

    async def run(self) -> None:
        """Step the pumps and answer for them until cancelled.

        Raises:
            CannotListenError: The connection's address cannot be had.
        """
        async with serving(self._connection, self._units):
            async for now_ns, dt_s in ticks(self._clock, STEP_S):
                for pump in self._pumps:
                    pump.step(now_ns, dt_s)


def _pump(asset: Asset, seed: int) -> Pump:
    hours = asset.address.get("run_hours")
    return Pump(asset.id, seed=seed, run_hours=None if hours is None else float(hours))


def _units(assets: Sequence[Asset], pumps: Sequence[Pump]) -> dict[int, Unit]:
    units: dict[int, Unit] = {}
    mistakes: list[Mistake] = []
    for asset, pump in zip(assets, pumps, strict=True):
        layout, number = REGISTER_MAPS.get(asset.profile), asset.address.get("unit")
        if layout is None:
            mistakes.append(Mistake("site.yaml", 0, f"`{asset.id}`: a pump has profile {' or '.join(REGISTER_MAPS)}"))
        elif not isinstance(number, int) or number in units:
            mistakes.append(Mistake("site.yaml", 0, f"`{asset.id}`: give it a `unit` (1 to 247) of its own"))
        else:
            units[number] = _unit(pump, layout)
    if mistakes:
        raise ConfigurationError(mistakes)
    return units


def _unit(pump: Pump, layout: RegisterMap) -> Unit:
    return Unit(
        start=layout.start,
        count=layout.count,
        registers=lambda: layout.encode(pump.readings()),
        silent=lambda: pump.silent,
        setting=Setting(
            layout.setpoint, layout.setpoint_count, lambda values: pump.set_speed(layout.setpoint_rpm(values))
        ),
    )
