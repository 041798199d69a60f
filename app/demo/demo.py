"""Runs Harbour Tower: broker, simulated devices and the whole of Watchkeeper in one process."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from facility.settings import Settings
from facility.site_file import read_site

from app.demo.console_client import ConsoleClient
from app.demo.measure import LatencyMeter, Summary, count, samples_by_protocol, summarise
from app.demo.people import DEMO_ACCOUNTS, DEMO_PASSWORD, add_demo_accounts
from app.logs import ErrorCount
from app.surroundings import environment, free_port
from app.system import System, listening_socket, open_system, serve
from facility.class_files import load_classes
from facility.clock import ScaledClock, SystemClock
from facility.storage.database import reading
from simulators.broker import EmbeddedBroker, embedded_broker
from simulators.scenario import read_scenario
from simulators.simulation import Simulation, build_simulation

SITE_FILE = Path(__file__).parent / "harbour_tower.yaml"
SCENARIO_FILE = Path(__file__).parent / "harbour_tower_scenario.yaml"
PROGRESS_PERIOD_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the person asked for."""

    port: int
    """Of the console; 0 takes a free one."""
    data_dir: Path | None
    """Where the database lives; ``None`` uses a folder that goes with the process."""
    seed: int
    seconds: float | None
    """When to stop by itself; ``None`` runs until Ctrl-C."""


class Progress:
    """What the person in front of the terminal is told; a headless run stays silent."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    def say(self, line: str) -> None:
        """Print one line."""
        if not self._silent:
            print(line, flush=True)  # noqa: T201  # a command speaks to its terminal


async def run_demo(
    options: DemoOptions, *, started_s: float, stop: asyncio.Event, errors: ErrorCount, progress: Progress
) -> Summary:
    """Run the demo until ``stop`` is set or its time is over, and sum up.

    Args:
        options: What the person asked for.
        started_s: ``time.monotonic()`` at the start of the command.
        stop: Set by Ctrl-C.
        errors: Counts logged errors.
        progress: Tells the person what happens.
    """
    with data_folder(options.data_dir) as folder:
        broker_port = free_port(socket.SOCK_STREAM)
        progress.say("Starting the MQTT broker, the simulated devices and Watchkeeper …")
        async with embedded_broker(broker_port, folder) as broker:
            with environment(device_addresses(broker)):
                return await run_tower(
                    options, folder, started_s=started_s, stop=stop, errors=errors, progress=progress
                )


@contextmanager
def data_folder(wanted: Path | None) -> Iterator[Path]:
    """Give the folder that the person named, or one that is removed at the end."""
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted
        return
    with TemporaryDirectory(prefix="watchkeeper-demo-") as folder:
        yield Path(folder)


def device_addresses(broker: EmbeddedBroker) -> dict[str, str]:
    """Return what the site file asks of its environment: where the demo's devices listen."""
    return {
        "WATCHKEEPER_MQTT_HOST": "127.0.0.1",
        "WATCHKEEPER_MQTT_PORT": str(broker.port),
        "WATCHKEEPER_MQTT_USERNAME": broker.username,
        "WATCHKEEPER_MQTT_PASSWORD": broker.password,
        "WATCHKEEPER_MODBUS_HOST": "127.0.0.1",
        "WATCHKEEPER_MODBUS_PORT": str(free_port(socket.SOCK_STREAM)),
        "WATCHKEEPER_BACNET_HOST": "127.0.0.1",
        "WATCHKEEPER_BACNET_PORT": str(free_port(socket.SOCK_DGRAM)),
    }


async def run_tower(
    options: DemoOptions,
    folder: Path,
    *,
    started_s: float,
    stop: asyncio.Event,
    errors: ErrorCount,
    progress: Progress,
) -> Summary:
    """Run devices and system side by side until it is time to stop."""
    clock = ScaledClock(start_ns=SystemClock().now_ns())
    site = read_site(SITE_FILE, load_classes(), os.environ)
    simulation = build_simulation(site, read_scenario(SCENARIO_FILE), clock=clock, seed=options.seed)
    settings = Settings(data_dir=folder, site_file=SITE_FILE)
    meter = LatencyMeter(site, device_change_of(simulation))
    with (
        open_system(settings, clock=clock, on_commit=meter.on_commit) as system,
        listening_socket("127.0.0.1", options.port) as listener,
    ):
        with system.database.begin() as connection:
            add_demo_accounts(connection, now_ns=clock.now_ns())
        tower = Tower(system, simulation, meter, progress)
        await tower.run(listener, options.seconds, stop)
        with reading(system.database) as connection:
            counts = count(connection, system.facility)
        return summarise(
            facility=system.facility,
            counts=counts,
            samples=samples_by_protocol(system.facility, system.gateway.statuses.values()),
            latencies=meter.latencies(),
            errors=errors.errors,
            seconds=time.monotonic() - started_s,
            first_sample_s=None if tower.first_sample_s is None else tower.first_sample_s - started_s,
        )


def device_change_of(simulation: Simulation) -> Callable[[str], int | None]:
    """Return what tells when a fire device went into alarm, for BACnet carries no time of its own."""
    return lambda asset_id: getattr(simulation.devices.get(asset_id), "alarm_ns", None)


class Tower:
    """The running demo."""

    def __init__(self, system: System, simulation: Simulation, meter: LatencyMeter, progress: Progress) -> None:
        self.first_sample_s: float | None = None
        """``time.monotonic()`` of the first sample; ``None`` until then."""
        self._system = system
        self._simulation = simulation
        self._meter = meter
        self._progress = progress

    async def run(self, listener: socket.socket, seconds: float | None, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set or the seconds are over."""
        address = "http://{}:{}".format(*listener.getsockname())
        ended = asyncio.Event()
        system = asyncio.create_task(serve(self._system, listener, ended), name="system")
        devices = asyncio.create_task(self._simulation.run(), name="simulation")
        watchers = [
            asyncio.create_task(self._report(address), name="report"),
            asyncio.create_task(self._listen(address), name="console client"),
        ]
        parts = [system, devices, *watchers]
        try:
            await first_of(stop, seconds, parts)
        finally:
            await cancel(watchers)
            ended.set()
            await asyncio.gather(system, return_exceptions=True)
            await cancel([devices])
        for part in parts:
            if not part.cancelled():
                part.result()

    async def _report(self, address: str) -> None:
        """Tell where to look once the first sample is there, and then every fault as it begins."""
        told = 0
        while True:
            await asyncio.sleep(PROGRESS_PERIOD_S)
            if self.first_sample_s is None and self._system.services.latest.samples:
                self.first_sample_s = time.monotonic()
                self._progress.say(greeting(address))
            if self.first_sample_s is not None:
                for injection in self._simulation.injections[told:]:
                    self._progress.say(f"    {injection.asset_id}: {injection.fault.replace('_', ' ')}")
                told = len(self._simulation.injections)

    async def _listen(self, address: str) -> None:
        login = DEMO_ACCOUNTS[0].login
        client = ConsoleClient(
            address, lambda alarm_id: self._meter.on_arrival(alarm_id, self._system.services.clock.now_ns())
        )
        await client.run(login, DEMO_PASSWORD)


async def first_of(stop: asyncio.Event, seconds: float | None, parts: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the signal to stop, the end of the time, or a part that ends by itself."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({stopped, *parts}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    await cancel([stopped])


async def cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def greeting(address: str) -> str:
    """Return what the person needs to know: where, and as whom."""
    people = "\n".join(f"    {login:<8} {name:<12} {role.value}" for login, name, role in DEMO_ACCOUNTS)
    return (
        f"\nHarbour Tower is running. Open {address}\n\n"
        f"  Log in as one of these with the password {DEMO_PASSWORD}\n{people}\n\n"
        f"  Ctrl-C stops it. Faults begin in a few seconds:\n"
    )
