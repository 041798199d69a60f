"""The Modbus driver: one line, all units behind it read in turn, each of their groups at its own pace.

Requests go one after another, since many devices take no second one; so a silent unit holds up its line one timeout.
Its breaker then leaves it alone for longer and longer, and until it answers again it stands behind its neighbours.
Commands go ahead of all polls that wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
import structlog

from facility.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError, Mistake
from facility.model import Point
from facility.quality import BAD_FROM, UNCERTAIN_FROM
from facility.samples import Sample, SampleBatch
from gateway.breaker import Breaker, BreakerState, backoff_s, draw_jitter
from gateway.drivers.driver import DeviceConfig, DriverConfig, PointWrite
from gateway.drivers.modbus.line import Line
from gateway.drivers.modbus.schedule import HALF_OPEN, REST, next_turn, spread
from gateway.drivers.modbus.settings import line_options
from gateway.drivers.modbus.unit import PollGroup, Unit
from gateway.events import ConnectionState, ConnectionStatus, Delivery, UnitStatus
from gateway.phase import phase_of
from gateway.trouble import Trouble

LOOK_AROUND_S: Final = 1.0
"""Wall seconds after which even an idle driver notices that its line was closed."""

log: Final = structlog.get_logger(__name__)


class ModbusDriver:
    """Reads and commands all devices of one Modbus connection."""

    def __init__(self, config: DriverConfig) -> None:
        """Check and plan everything; opens nothing yet.

        Raises:
            ConfigurationError: Options, settings or registers have mistakes; lists every one.
        """
        self._config = config
        self._connection = config.connection
        self._clock = config.clock
        self._status = config.status
        self._options = line_options(config.connection)
        self._line = Line(self._connection, self._options)
        self._units = _units(config.devices, config.status, config.clock.speed)
        self._groups = [group for unit in self._units for group in unit.groups]
        self._breakers = {unit.number: Breaker() for unit in self._units}
        self._suspects_from_s = 0.0
        """No silent unit is asked before this time of the event loop's clock."""
        self._heard: set[int] = set()
        """Units that answered on this connection."""
        self._fallen_silent: set[int] = set()
        """Those of them that did no longer, since the last answer of anyone."""
        self._was_quiet = False
        """Nothing at all came in answer to the last poll."""
        self._attempts = 0
        """Connections in a row that brought no answer."""
        self._line_lost = False
        self._troubles = {unit.asset_id: Trouble() for unit in self._units}
        """What the log knows of each unit's bad values."""
        self._logged_lost: set[str] = set()
        """Assets whose loss is in the log, so that their return is too."""

    async def run(self) -> None:
        """Read until cancelled; reconnect for ever."""
        while True:
            self._config.pulse.turn("polls")
            self._line = Line(self._connection, self._options)
            try:
                reason = await self._serve(self._line)
            finally:
                self._line.close()
            self._lose_line(reason)
            await asyncio.sleep(backoff_s(self._attempts, jitter=draw_jitter()))
            self._attempts += 1

    async def write(self, write: PointWrite) -> None:
        """Write ahead of all waiting polls; return when the device has confirmed.

        Raises:
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no, or the profile does not let this point be written.
        """
        unit = self._unit_of(write.point)
        await unit.commands.write(self._line, write)
        self._retry(unit)

    async def read(self, point: Point) -> Sample:
        """Read one point ahead of all waiting polls.

        Raises:
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no, or the profile does not map this point.
        """
        unit = self._unit_of(point)
        sample = await unit.commands.read(self._line, point, self._clock)
        self._retry(unit)
        return sample

    async def _serve(self, line: Line) -> str:
        """Poll all units in turn until the line is lost; return why it was."""
        try:
            await line.open()
        except OSError as error:
            why = str(error) or "nobody took the connection in time"
            return f"no connection to {line.endpoint} ({why}); check the device's power and that this host may reach it"
        self._begin()
        while True:
            turn = next_turn(self._groups, self._suspects(), self._suspects_from_s)
            await self._rest_until(line, turn.at_s)
            if line.is_open:
                await self._poll(line, self._groups[turn.place])
            if not line.is_open:
                return f"{line.endpoint} closed the connection"
            if self._all_silent():
                return f"no unit at {line.endpoint} answers"

    def _begin(self) -> None:
        """Give every group a phase of its own, and the lost units their chance at once."""
        now_s = self._now_s()
        spread(self._groups, now_s, phase=phase_of(self._connection.id))
        self._heard.clear()
        self._fallen_silent.clear()
        self._was_quiet = False
        self._breakers = {number: breaker.retried_at(now_s) for number, breaker in self._breakers.items()}

    async def _rest_until(self, line: Line, due_s: float) -> None:
        while line.is_open:
            self._config.pulse.turn("polls")
            left_s = due_s - self._now_s()
            await asyncio.sleep(min(max(0.0, left_s), LOOK_AROUND_S))
            if left_s <= LOOK_AROUND_S:
                return

    async def _poll(self, line: Line, group: PollGroup) -> None:
        """Read one group if its unit's breaker lets it, and plan its next turn."""
        now_s = self._now_s()
        breaker = self._breakers[group.unit]
        if not breaker.may_ask(now_s):
            group.due_s = breaker.retry_at_s
            return
        self._breakers[group.unit] = breaker.asked(now_s)
        await self._ask(line, group)
        group.device.figures.overruns += group.advance(self._now_s())

    async def _ask(self, line: Line, group: PollGroup) -> None:
        answers = line.answers
        try:
            batch = await group.device.poll(group, line, self._clock, self._now_s())
        except DeviceUnreachableError as error:
            if line.answers > answers:  # a gateway's word that the unit behind it is silent, or it was so halfway
                self._hear()
            elif line.is_open:
                self._fallen_silent |= self._heard & {group.unit}
                self._was_quiet = True
            if line.is_open:
                self._silent(group.device, error)
        else:
            self._hear()
            self._answered(group.device, batch)

    def _hear(self) -> None:
        """Take note that somebody at the other end talks."""
        self._attempts = 0
        self._was_quiet = False
        self._fallen_silent.clear()
        if self._status.state is ConnectionState.UP:
            return
        if self._line_lost:
            self._line_lost = False
            log.info("connection back", connection=self._connection.id)
        self._status.state = ConnectionState.UP
        self._describe_lost()

    def _silent(self, unit: Unit, error: DeviceUnreachableError) -> None:
        """Take note of a timeout; report the unit's points once its breaker opens."""
        now_s = self._now_s()
        breaker = self._breakers[unit.number].silent(now_s, jitter=draw_jitter())
        self._breakers[unit.number] = breaker
        self._suspects_from_s = now_s + REST * self._options.timeout_s
        if breaker.state is not BreakerState.OPEN:
            return
        unit.figures.openings += 1
        if not self._line_lost and unit.asset_id not in self._logged_lost:
            self._logged_lost.add(unit.asset_id)
            log.warning(
                "device lost", connection=self._connection.id, asset=unit.asset_id, unit=unit.number, reason=str(error)
            )
        self._lose(unit, str(error))

    def _answered(self, unit: Unit, batch: SampleBatch) -> None:
        self._breakers[unit.number] = self._breakers[unit.number].answered()
        self._heard.add(unit.number)
        if unit.lost:
            self._come_back(unit)
        unit.figures.state = ConnectionState.UP
        self._log_change(unit, batch)
        self._deliver(unit, batch)

    def _come_back(self, unit: Unit) -> None:
        """Take note that a unit answers again, and read all of it at once: its other groups are reported as lost."""
        if unit.asset_id in self._logged_lost:
            self._logged_lost.discard(unit.asset_id)
            log.info("device back", connection=self._connection.id, asset=unit.asset_id, unit=unit.number)
        unit.lost, unit.figures.detail = False, ""
        for group in unit.groups:
            group.due_s = min(group.due_s, self._now_s())
        self._describe_lost()

    def _log_change(self, unit: Unit, batch: SampleBatch) -> None:
        """Log once when a unit's values turn bad and once when all are good again."""
        is_bad = unit.has_refused or bool((batch.quality >= BAD_FROM).any())
        trouble, now_s = self._troubles[unit.asset_id], self._now_s()
        if is_bad and trouble.bad(now_s):
            log.warning(
                "Modbus points have bad values; compare the device's registers with its profile",
                connection=self._connection.id,
                asset=unit.asset_id,
                unit=unit.number,
                points=unit.troubled(batch),
            )
        elif not is_bad and trouble.good(now_s):
            log.info(
                "Modbus points are good again", connection=self._connection.id, asset=unit.asset_id, unit=unit.number
            )

    def _lose(self, unit: Unit, reason: str) -> None:
        """Report a unit's points as lost, once."""
        unit.figures.state, unit.figures.detail = ConnectionState.DOWN, reason
        if not unit.lost:
            self._deliver(unit, unit.lose(self._clock.now_ns()))
            self._describe_lost()

    def _lose_line(self, reason: str) -> None:
        """Report every unit's points as lost, once, and say why."""
        if not self._line_lost:
            self._line_lost = True
            log.warning("connection lost", connection=self._connection.id, reason=reason)
        for unit in self._units:
            self._lose(unit, reason)
        self._status.state = ConnectionState.DOWN
        self._status.detail = reason

    def _describe_lost(self) -> None:
        lost = [unit.asset_id for unit in self._units if unit.lost]
        self._status.detail = f"no answer from {', '.join(lost)}" if lost else ""

    def _deliver(self, unit: Unit, batch: SampleBatch) -> None:
        if not len(batch):
            return
        self._status.samples += len(batch)
        self._status.errors += int(np.count_nonzero(batch.quality >= BAD_FROM))
        if bool((batch.quality < UNCERTAIN_FROM).any()):
            self._status.last_good_ns = unit.figures.last_good_ns = int(batch.gateway_time_ns[-1])
        self._config.deliver(Delivery(connection_id=self._connection.id, batch=batch))

    def _unit_of(self, point: Point) -> Unit:
        """Return the device that has a point.

        Raises:
            DeviceRefusedError: None on this line has.
        """
        for unit in self._units:
            if unit.asset_id == point.asset_id:
                return unit
        raise DeviceRefusedError(point.address, f"it is not on connection {self._connection.id}")

    def _retry(self, unit: Unit) -> None:
        """Poll a unit that answered a command, although its breaker is open, when its next turn comes."""
        breaker, now_s = self._breakers[unit.number], self._now_s()
        if breaker.state is BreakerState.OPEN:
            self._breakers[unit.number] = breaker.retried_at(now_s)
            unit.groups[0].due_s = now_s

    def _suspects(self) -> set[int]:
        """Return the units whose last request stayed without an answer."""
        return {number for number, breaker in self._breakers.items() if breaker.silences}

    def _all_silent(self) -> bool:
        """Say whether the connection itself may be dead: all breakers are open, or unit after unit fell silent."""
        if not self._was_quiet:
            return False
        open_everywhere = all(breaker.state is BreakerState.OPEN for breaker in self._breakers.values())
        return open_everywhere or len(self._fallen_silent) >= HALF_OPEN

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _units(devices: Sequence[DeviceConfig], status: ConnectionStatus, speed: float) -> list[Unit]:
    """Prepare every device, and collect the mistakes of all."""
    units: list[Unit] = []
    mistakes: list[Mistake] = []
    for device in devices:
        figures = status.units.setdefault(device.asset.id, UnitStatus(asset_id=device.asset.id))
        try:
            units.append(Unit(device, figures, speed=speed))
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    return units
