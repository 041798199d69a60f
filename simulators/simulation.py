"""A whole site of simulated devices on their wires, and the scenario that makes them fail."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from facility.clock import NS_PER_S, Clock
from facility.equipment import System
from facility.model import Asset, SiteDescription
from simulators.device import SimulatedDevice
from simulators.doors.wire import DoorWire
from simulators.fire.wire import FirePanelWire
from simulators.lifts.wire import LiftWire
from simulators.pumps.wire import PumpWire
from simulators.scenario import Scenario, Step
from simulators.wire import Wire, WireFactory, wait_until

log = structlog.get_logger(__name__)

WIRES: Mapping[str, WireFactory] = {
    "lift": LiftWire,
    "door": DoorWire,
    "pump": PumpWire,
    "fire-panel": FirePanelWire,
    "smoke-detector": FirePanelWire,
    "manual-call-point": FirePanelWire,
}
"""Equipment class to the wire that speaks for it; a connection carries one wire of each kind it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault as it truly was: what the monitoring ought to have found."""

    asset_id: str
    fault: str
    at_ns: int
    cleared_ns: int | None = None
    """``None`` while the fault lasts."""


class Simulation:
    """Simulated devices that run until cancelled."""

    def __init__(self, wires: Sequence[Wire], scenario: Scenario, *, clock: Clock) -> None:
        self.wires = tuple(wires)
        self.devices: dict[str, SimulatedDevice] = {
            device.asset_id: device for wire in wires for device in wire.devices
        }
        self.injections: list[Injection] = []
        """The ground truth, in the order of injection."""
        self._scenario = scenario
        self._clock = clock

    async def run(self, begin: asyncio.Event | None = None) -> None:
        """Run every wire and the scenario until cancelled; a wire that fails ends the simulation with its error.

        Args:
            begin: The scenario starts when it is set; ``None``: at once.
        """
        async with asyncio.TaskGroup() as group:
            for wire in self.wires:
                group.create_task(wire.run())
            if begin is not None:
                await begin.wait()
            group.create_task(self._play())

    def inject(self, asset_id: str, fault: str) -> None:
        """Start a fault now and remember it; one that lasts already is left alone."""
        if self._lasting(asset_id, fault) is not None:
            return
        now_ns = self._clock.now_ns()
        self.devices[asset_id].inject(fault, now_ns)
        self.injections.append(Injection(asset_id=asset_id, fault=fault, at_ns=now_ns))
        log.info("fault injected", asset=asset_id, fault=fault)

    def clear(self, asset_id: str, fault: str) -> None:
        """End a fault now; one that does not last is left alone."""
        index = self._lasting(asset_id, fault)
        if index is None:
            return
        now_ns = self._clock.now_ns()
        self.devices[asset_id].clear(fault, now_ns)
        self.injections[index] = replace(self.injections[index], cleared_ns=now_ns)
        log.info("fault cleared", asset=asset_id, fault=fault)

    def _lasting(self, asset_id: str, fault: str) -> int | None:
        for index, injection in enumerate(self.injections):
            if (injection.asset_id, injection.fault, injection.cleared_ns) == (asset_id, fault, None):
                return index
        return None

    async def _play(self) -> None:
        start_ns = self._clock.now_ns()
        for step in self._scenario.steps:
            if step.device in self.devices:
                await wait_until(self._clock, start_ns + round(step.at_s * NS_PER_S))
                self._perform(step)

    def _perform(self, step: Step) -> None:
        if step.inject is not None:
            self.inject(step.device, step.inject)
        if step.clear is not None:
            self.clear(step.device, step.clear)


def build_simulation(
    site: SiteDescription, scenario: Scenario, *, clock: Clock, seed: int, systems: Collection[System] | None = None
) -> Simulation:
    """Build the devices of a site and the wires that speak for them; opens nothing yet.

    Args:
        site: Whose assets are simulated; classes without a simulator are left out and logged.
        scenario: What fails when.
        clock: The facility time of all devices.
        seed: Each device's own seed derives from this and its asset id.
        systems: Only these systems; ``None``: all of them.

    Raises:
        ConfigurationError: The scenario names an asset or fault that does not exist.
    """
    assets = [asset for asset in site.assets.values() if systems is None or asset.equipment_class.system in systems]
    wires = [
        factory(site.connections[connection_id], group, clock=clock, seed=seed)
        for connection_id, factory, group in _groups(assets)
    ]
    simulation = Simulation(wires, scenario, clock=clock)
    scenario.check(simulation.devices, site.assets.keys())
    return simulation


def _groups(assets: Sequence[Asset]) -> Iterator[tuple[str, WireFactory, list[Asset]]]:
    """Group the assets by connection and kind of wire, in the order of the site."""
    groups: dict[tuple[str, WireFactory], list[Asset]] = defaultdict(list)
    for asset in assets:
        factory = WIRES.get(asset.equipment_class.name)
        if factory is None:
            log.warning(
                "no simulator for this class; left out", asset=asset.id, equipment_class=asset.equipment_class.name
            )
        else:
            groups[asset.connection_id, factory].append(asset)
    for (connection_id, factory), members in groups.items():
        yield connection_id, factory, members
