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

from app.demo.console_client import ConsoleClient
from app.demo.field import Field
from app.demo.measure import LatencyMeter, Summary, count, samples_by_protocol, summarise
from app.demo.people import DEMO_ACCOUNTS, DEMO_PASSWORD, add_demo_accounts
from app.demo.story import Progress, Story
from app.engine import Commit
from app.logs import ErrorCount
from app.surroundings import environment, free_port
from app.system import System, listening_socket, open_system, serve
from facility.class_files import load_classes
from facility.clock import ScaledClock, SystemClock
from facility.equipment import System as EquipmentSystem
from facility.settings import Settings
from facility.site_file import read_site
from facility.storage.database import reading
from gateway.events import ConnectionState
from simulators.broker import BrokerAccount
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
    broker_port, account = free_port(socket.SOCK_STREAM), BrokerAccount.drawn()
    progress.say("Starting the MQTT broker, the simulated devices and Watchkeeper …")
    with data_folder(options.data_dir) as folder, environment(device_addresses(broker_port, account)):
        clock = ScaledClock(start_ns=SystemClock().now_ns())
        site = read_site(SITE_FILE, load_classes(), os.environ)
        scenario = read_scenario(SCENARIO_FILE)
        simulations = [
            build_simulation(site, scenario, clock=clock, seed=options.seed, systems=[kind]) for kind in EquipmentSystem
        ]
        field = Field(simulations, broker_port=broker_port, account=account)
        meter = LatencyMeter(site, device_change_of(simulations))
        story = Story(simulations, progress)

        def on_commit(commit: Commit) -> None:
            meter.on_commit(commit)
            story.on_commit(commit)

        settings = Settings(data_dir=folder, site_file=SITE_FILE)
        with (
            open_system(settings, clock=clock, on_commit=on_commit) as system,
            listening_socket("127.0.0.1", options.port) as listener,
        ):
            with system.database.begin() as connection:
                add_demo_accounts(connection, now_ns=clock.now_ns())
            tower = Tower(system, field, meter, story)
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


@contextmanager
def data_folder(wanted: Path | None) -> Iterator[Path]:
    """Give the folder that the person named, or one that is removed at the end."""
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted
        return
    with TemporaryDirectory(prefix="watchkeeper-demo-") as folder:
        yield Path(folder)


def device_addresses(broker_port: int, account: BrokerAccount) -> dict[str, str]:
    """Return what the site file asks of its environment: where the demo's devices listen."""
    return {
        "WATCHKEEPER_MQTT_HOST": "127.0.0.1",
        "WATCHKEEPER_MQTT_PORT": str(broker_port),
        "WATCHKEEPER_MQTT_USERNAME": account.username,
        "WATCHKEEPER_MQTT_PASSWORD": account.password,
        "WATCHKEEPER_MODBUS_HOST": "127.0.0.1",
        "WATCHKEEPER_MODBUS_PORT": str(free_port(socket.SOCK_STREAM)),
        "WATCHKEEPER_BACNET_HOST": "127.0.0.1",
        "WATCHKEEPER_BACNET_PORT": str(free_port(socket.SOCK_DGRAM)),
    }


def device_change_of(simulations: Sequence[Simulation]) -> Callable[[str], int | None]:
    """Return what tells when a fire device went into alarm, for BACnet carries no time of its own."""
    devices = {asset_id: device for each in simulations for asset_id, device in each.devices.items()}
    return lambda asset_id: getattr(devices.get(asset_id), "alarm_ns", None)


class Tower:
    """The running demo."""

    def __init__(self, system: System, field: Field, meter: LatencyMeter, story: Story) -> None:
        self.first_sample_s: float | None = None
        """``time.monotonic()`` of the first sample; ``None`` until then."""
        self._system = system
        self._field = field
        self._meter = meter
        self._story = story

    async def run(self, listener: socket.socket, seconds: float | None, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set or the seconds are over."""
        address = "http://{}:{}".format(*listener.getsockname())
        client = ConsoleClient(
            address, lambda alarm_id: self._meter.on_arrival(alarm_id, self._system.services.clock.now_ns())
        )
        ended = asyncio.Event()
        system = asyncio.create_task(serve(self._system, listener, ended), name="system")
        field = asyncio.create_task(self._field.run(), name="field")
        watchers = [
            asyncio.create_task(self._report(address, client), name="report"),
            asyncio.create_task(client.run(DEMO_ACCOUNTS[0].login, DEMO_PASSWORD), name="console client"),
        ]
        parts = [system, field, *watchers]
        try:
            await first_of(stop, seconds, parts)
        finally:
            await cancel(watchers)
            ended.set()
            await asyncio.gather(system, return_exceptions=True)
            await cancel([field])
        for part in parts:
            if not part.cancelled():
                part.result()

    async def _report(self, address: str, client: ConsoleClient) -> None:
        """Begin the scenario once everything flows and somebody watches; then tell every fault as it begins."""
        await self._until(lambda: bool(self._system.services.latest.samples))
        self.first_sample_s = time.monotonic()
        await self._until(lambda: client.listening.is_set() and self._everything_is_up())
        self._story.begin(address)
        self._field.begin()
        while True:
            await asyncio.sleep(PROGRESS_PERIOD_S)
            self._story.tell(self._system.facility)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():  # noqa: ASYNC110  # drivers and store are watched from outside, by their figures
            await asyncio.sleep(PROGRESS_PERIOD_S)

    def _everything_is_up(self) -> bool:
        return all(status.state is ConnectionState.UP for status in self._system.gateway.statuses.values())


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
