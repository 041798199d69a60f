"""Plays a recording through a protocol simulator onto the wire, and tells what the rules made of it."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import SOCK_STREAM
from tempfile import TemporaryDirectory
from typing import Protocol

from facility.settings import Settings
from facility.site_file import read_site
from sqlalchemy import func, select

from alarms.tables import alarm_episode
from app.surroundings import environment, free_port
from app.system import System, flowing, open_system
from facility.class_files import load_classes
from facility.clock import NS_PER_S, Clock, ScaledClock, SystemClock
from facility.errors import InvalidCommandError
from facility.model import Protocol as FieldProtocol
from facility.model import SiteDescription
from facility.storage.database import reading
from simulators.broker import BrokerAccount, embedded_broker
from simulators.recording import Recording, read_recording, shipped_layout
from simulators.replay_modbus import ModbusPlayer
from simulators.replay_mqtt import MqttPlayer
from workorders.tables import work_order

HERE = Path(__file__).parent
DRAIN_S = 20.0
"""Wall seconds that the last samples may take from the wire to the engine."""
DRAIN_CHECK_S = 0.05
DRAIN_QUIET_CHECKS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What the person asked for."""

    file: Path
    profile: str
    speed: float
    """Recorded seconds per wall second."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedAlarm:
    """One episode, placed in the recording."""

    rule: str
    row: int
    """Row of the recording at which it was raised, counted from 0."""
    in_labelled_window: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySummary:
    """What came of a recording."""

    rows: int
    samples: int
    bad_samples: int
    """Samples that came with a bad quality: mangled or missing cells among them."""
    labelled_windows: list[tuple[int, int]]
    """Each stretch that the recording itself calls abnormal: its first row, and the row after its last."""
    alarms: list[ReplayedAlarm]
    work_orders: int

    def as_json(self) -> dict[str, object]:
        """Return the summary as JSON values."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the summary as lines for people."""
        alarms = [
            f"  row {alarm.row}: {alarm.rule}, {'inside' if alarm.in_labelled_window else 'outside'} a labelled window"
            for alarm in self.alarms
        ]
        return "\n".join(
            [
                f"{self.rows} rows became {self.samples} samples, {self.bad_samples} of them bad.",
                f"Labelled windows: {self.labelled_windows or 'none'}",
                f"Alarms: {len(self.alarms)}, work orders: {self.work_orders}",
                *alarms,
            ]
        )


async def run_replay(options: ReplayOptions, stop: asyncio.Event) -> ReplaySummary:
    """Play the file to its end, or until ``stop`` is set.

    Raises:
        InvalidCommandError: No recording is laid out for this profile.
        ConfigurationError: The file does not fit its layout.
    """
    bench = BENCHES.get(options.profile)
    if bench is None:
        raise InvalidCommandError(f"No recording goes with {options.profile!r}. Choose one of: {', '.join(BENCHES)}.")
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
        return MqttPlayer(connection, asset.address["root"], recording, clock)
    return ModbusPlayer(connection, asset.address["unit"], recording, clock)


async def play(bench: Bench, recording: Recording, clock: Clock, folder: Path, stop: asyncio.Event) -> ReplaySummary:
    """Run player and system side by side until the recording is over and everything is committed."""
    player = player_for(read_site(bench.site_file, load_classes(), os.environ), recording, clock)
    with open_system(Settings(data_dir=folder, site_file=bench.site_file), clock=clock) as system:
        async with flowing(system) as gateway:
            playing, stopped = asyncio.create_task(player.run()), asyncio.create_task(stop.wait())
            await asyncio.wait({playing, stopped, gateway}, return_when=asyncio.FIRST_COMPLETED)
            for task in (playing, stopped):
                task.cancel()
            await asyncio.gather(playing, stopped, return_exceptions=True)
            if not playing.cancelled():
                playing.result()
            await drained(system)
        return summarise(system, recording, player)


async def drained(system: System) -> None:
    """Wait until no sample is on its way any more: none came for a while, or the time for it is over."""
    deadline = asyncio.get_running_loop().time() + DRAIN_S
    before, quiet = -1, 0
    while quiet < DRAIN_QUIET_CHECKS and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(DRAIN_CHECK_S)
        now = system.services.latest.samples
        quiet = quiet + 1 if now == before else 0
        before = now


def summarise(system: System, recording: Recording, player: Player) -> ReplaySummary:
    """Place every episode in the recording."""
    windows = recording.labelled_windows()
    offsets = [row.offset_s for row in recording.rows]
    started_ns = player.started_ns or 0
    with reading(system.database) as connection:
        episodes = connection.execute(
            select(alarm_episode.c.rule_id, alarm_episode.c.raised_at_ns).order_by(alarm_episode.c.raised_at_ns)
        ).all()
        orders = connection.scalar(select(func.count()).select_from(work_order)) or 0
    alarms = []
    for episode in episodes:
        row = bisect_right(offsets, (episode.raised_at_ns - started_ns) / NS_PER_S) - 1
        rule = system.facility.rules[episode.rule_id].definition.name
        inside = any(first <= row < after for first, after in windows)
        alarms.append(ReplayedAlarm(rule=rule, row=row, in_labelled_window=inside))
    [status] = system.gateway.statuses.values()
    return ReplaySummary(
        rows=len(recording.rows),
        samples=status.samples,
        bad_samples=status.errors,
        labelled_windows=windows,
        alarms=alarms,
        work_orders=orders,
    )
