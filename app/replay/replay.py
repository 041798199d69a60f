"""Plays a recording through a protocol simulator onto the wire, and tells what the rules made of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import SOCK_STREAM
from tempfile import TemporaryDirectory
from typing import Protocol

from app.replay.summary import ReplaySummary, count_samples, summarise
from app.surroundings import environment, free_port
from app.system import System, flowing, open_system, until_stopped
from facility.class_files import load_classes
from facility.clock import Clock, ScaledClock, SystemClock
from facility.errors import InvalidCommandError
from facility.model import Protocol as FieldProtocol
from facility.model import SiteDescription
from facility.settings import Settings
from facility.site_file import read_site
from gateway.events import ConnectionState
from simulators.broker import BrokerAccount, embedded_broker
from simulators.recording import Recording, read_recording, shipped_layout
from simulators.replay_modbus import ModbusPlayer
from simulators.replay_mqtt import MqttPlayer

HERE = Path(__file__).parent
CHECK_S = 0.05
"""Wall seconds between two looks at what is waited for."""
READY_S = 30.0
"""Wall seconds that a wire may take to stand."""
QUIET_S = 5.0
"""Wall seconds without any sample after which no more is expected."""
MESSAGE_S = 0.05
"""Wall seconds of rows in one MQTT message, so that a fast replay stays within what the embedded broker carries."""
MAX_ROWS_PER_MESSAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What the person asked for."""

    file: Path
    profile: str
    speed: float
    """Recorded seconds per wall second; what the machine cannot keep up with is played later, never left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The site and the layout that go with a profile."""

    site_file: Path
    layout: str


BENCHES: Mapping[str, Bench] = {
    "bench-pump-replay": Bench(site_file=HERE / "bench_pump.yaml", layout="pump-testbed"),
    "lift-door-replay": Bench(site_file=HERE / "lift_door.yaml", layout="lift-vibration"),
}
"""By device profile."""


async def run_replay(options: ReplayOptions, stop: asyncio.Event) -> ReplaySummary:
    """Play the file to its end, or until ``stop`` is set.

    Raises:
        InvalidCommandError: No recording is laid out for this profile.
        ConfigurationError: The file does not fit its layout.
        EngineFailedError: The engine ended by itself.
    """
    bench = BENCHES.get(options.profile)
    if bench is None:
        raise InvalidCommandError(
            f"No recording goes with the profile {options.profile!r}. Give --profile one of: {', '.join(BENCHES)}."
        )
    recording = read_recording(options.file, shipped_layout(bench.layout))
    clock = ScaledClock(start_ns=SystemClock().now_ns(), speed=options.speed)
    with TemporaryDirectory(prefix="watchkeeper-replay-") as folder:
        async with surroundings(options.profile) as variables:
            with environment(variables):
                return await play(bench, recording, clock, Path(folder), stop)


@asynccontextmanager
async def surroundings(profile: str) -> AsyncIterator[dict[str, str]]:
    """Prepare the wire that the profile needs and give its address as the site file asks for it."""
    port = free_port(SOCK_STREAM)
    variables = {"WATCHKEEPER_REPLAY_PORT": str(port)}
    if not profile.startswith("lift"):
        yield variables
        return
    account = BrokerAccount.drawn()
    async with embedded_broker(port, account):
        yield variables | {
            "WATCHKEEPER_REPLAY_USERNAME": account.username,
            "WATCHKEEPER_REPLAY_PASSWORD": account.password,
        }


class Player(Protocol):
    """Plays a recording onto one wire."""

    started_ns: int | None
    """Facility time of the first row; ``None`` before it."""

    async def run(self) -> None:
        """Play to the end."""
        ...


def player_for(site: SiteDescription, recording: Recording, clock: Clock) -> Player:
    """Return the player for the bench's only device."""
    [asset], [connection] = site.assets.values(), site.connections.values()
    if connection.protocol is FieldProtocol.MQTT:
        rows = rows_in(recording, MESSAGE_S * clock.speed)
        return MqttPlayer(connection, asset.address["root"], recording, clock, rows_per_message=rows)
    return ModbusPlayer(connection, asset.address["unit"], recording, clock)


def rows_in(recording: Recording, recorded_s: float) -> int:
    """Return how many rows such a time holds on average; at least one, and at most what one message may carry."""
    offsets_s = [row.offset_s for row in recording.rows]
    span_s = offsets_s[-1] - offsets_s[0] if offsets_s else 0.0
    wanted = int(recorded_s * (len(offsets_s) - 1) / span_s) if span_s > 0.0 else 1
    return max(1, min(wanted, MAX_ROWS_PER_MESSAGE))


async def play(bench: Bench, recording: Recording, clock: Clock, folder: Path, stop: asyncio.Event) -> ReplaySummary:
    """Run player and system side by side until the recording is over and everything is committed."""
    player = player_for(read_site(bench.site_file, load_classes(), os.environ), recording, clock)
    # A database of their own, whatever the environment says: a recording has no business among a building's alarms.
    settings = Settings(data_dir=folder, site_file=bench.site_file, database_url="", influx_url=None)
    with open_system(settings, clock=clock) as system:
        [connection] = system.facility.connections.values()
        if connection.protocol is FieldProtocol.MODBUS:
            await serve_and_read(player, system, stop)
        else:
            await listen_and_publish(player, system, stop, samples=len(recording.rows) * len(system.facility.points))
        return summarise(system, recording, player.started_ns or clock.now_ns())


async def serve_and_read(player: Player, system: System, stop: asyncio.Event) -> None:
    """Let the player answer before the gateway asks, and go on until the recording is over."""
    over = asyncio.Event()
    async with playing(player, over, stop) as task:
        await until(lambda: player.started_ns is not None or task.done(), READY_S)
        async with flowing(system) as gateway:
            await until_stopped(system.engine, over, {gateway})


async def listen_and_publish(player: Player, system: System, stop: asyncio.Event, *, samples: int) -> None:
    """Let the gateway listen before the player publishes, and go on until every sample is there."""
    over = asyncio.Event()
    async with flowing(system) as gateway:
        await until(lambda: stop.is_set() or gateway.done() or is_up(system), READY_S)
        async with playing(player, over, stop):
            await until_stopped(system.engine, over, {gateway})
        await arrived(system, samples)


@asynccontextmanager
async def playing(player: Player, over: asyncio.Event, stop: asyncio.Event) -> AsyncIterator[asyncio.Task[None]]:
    """Run the player beside the block; sets ``over`` once it has ended or ``stop`` is set."""
    task, stopped = asyncio.create_task(player.run(), name="player"), asyncio.create_task(stop.wait(), name="stop")
    for each in (task, stopped):
        each.add_done_callback(lambda _: over.set())
    try:
        yield task
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
    if not task.cancelled():
        task.result()


def is_up(system: System) -> bool:
    """Tell whether every connection of the gateway stands."""
    return all(status.state is ConnectionState.UP for status in system.gateway.statuses.values())


async def arrived(system: System, samples: int) -> None:
    """Return when so many samples are kept for good, or when none comes any more."""
    latest = system.services.latest
    while (before := latest.samples) < samples:
        await until(lambda: latest.samples != before, QUIET_S)
        if latest.samples == before:
            return
    # Only what is kept is acknowledged, and a broker that is left without an acknowledgement complains.
    await until(lambda: count_samples(system)[0] >= samples, QUIET_S)
    await asyncio.sleep(CHECK_S)


async def until(holds: Callable[[], bool], within_s: float) -> None:
    """Return when something holds, or when the time for it is over."""
    deadline_s = asyncio.get_running_loop().time() + within_s
    while not holds() and asyncio.get_running_loop().time() < deadline_s:  # noqa: ASYNC110  # other threads set it
        await asyncio.sleep(CHECK_S)
