"""The Modbus driver: one connection, all units behind it read in turn, each at its own pace.

Requests go one after another, since many devices take no second one; so a silent unit holds up its line one timeout.
Its breaker then leaves it alone for longer and longer, and until it answers again it stands behind its neighbours.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import structlog

from facility.errors import ConfigurationError, DeviceUnreachableError, Mistake
from facility.quality import BAD_FROM, UNCERTAIN_FROM
from facility.samples import SampleBatch
from gateway.breaker import Breaker, BreakerState, backoff_s, draw_jitter
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.drivers.modbus.line import Line
from gateway.drivers.modbus.settings import line_options
from gateway.drivers.modbus.unit import Unit
from gateway.events import ConnectionState, Delivery
from gateway.trouble import Trouble

log: Final = structlog.get_logger(__name__)


class ModbusDriver:
    """Reads all devices of one Modbus TCP connection."""

    def __init__(self, config: DriverConfig) -> None:
        """Check and plan everything; opens nothing yet.

        Raises:
            ConfigurationError: Options, settings or registers have mistakes; lists every one.
        """
        self._config = config
        self._connection = config.connection
        self._clock = config.clock
        self._status = config.status
        self._timeout_s = line_options(config.connection).timeout_s
        self._units = _units(config.devices, config.clock.speed)
        self._breakers = {unit.number: Breaker() for unit in self._units}
        self._attempts = 0
        """Connections in a row that brought no answer."""
        self._line_lost = False
        self._troubles = {unit.number: Trouble() for unit in self._units}
        """What the log knows of each unit's bad values."""
        self._logged_lost: set[str] = set()
        """Assets whose loss is in the log, so that their return is too."""

    async def run(self) -> None:
        """Read until cancelled; reconnect for ever."""
        while True:
            line = Line(self._connection.host, self._connection.port, self._timeout_s)
            try:
                reason = await self._serve(line)
            finally:
                line.close()
            self._lose_line(reason)
            await asyncio.sleep(backoff_s(self._attempts, jitter=draw_jitter()))
            self._attempts += 1

    async def _serve(self, line: Line) -> str:
        """Poll all units in turn until the line is lost; return why it was."""
        if not await line.open():
            return f"no connection to {line.endpoint}; check the device's power and that this host may reach that port"
        self._spread()
        while True:
            unit = next_unit(self._units, self._suspects())
            await asyncio.sleep(max(0.0, unit.due_s - self._now_s()))
            await self._poll(line, unit)
            if not line.is_open:
                return f"{line.endpoint} closed the connection"
            if self._all_silent():
                return f"no unit at {line.endpoint} answers"

    def _spread(self) -> None:
        """Give every unit a phase of its own within its period, and the lost ones their chance at once."""
        now_s = self._now_s()
        for place, unit in enumerate(self._units):
            unit.due_s = now_s + unit.period_s * place / len(self._units)
        self._breakers = {number: breaker.retried_at(now_s) for number, breaker in self._breakers.items()}

    async def _poll(self, line: Line, unit: Unit) -> None:
        """Read one unit if its breaker lets it, and plan its next turn."""
        now_s = self._now_s()
        if self._breakers[unit.number].may_ask(now_s):
            self._breakers[unit.number] = self._breakers[unit.number].asked(now_s)
            await self._ask(line, unit)
        else:
            self._lose(unit)
        unit.due_s = next_due(unit.due_s, unit.period_s, self._now_s())

    async def _ask(self, line: Line, unit: Unit) -> None:
        try:
            batch = await unit.poll(line, self._clock, self._now_s())
        except DeviceUnreachableError as error:
            if line.is_open:
                self._silent(unit, error)
        else:
            self._answered(unit, batch)

    def _silent(self, unit: Unit, error: DeviceUnreachableError) -> None:
        """Take note of a timeout; report the unit's points once its breaker opens."""
        breaker = self._breakers[unit.number].silent(self._now_s(), jitter=draw_jitter())
        self._breakers[unit.number] = breaker
        if breaker.state is not BreakerState.OPEN:
            return
        if not self._line_lost and unit.asset_id not in self._logged_lost:
            self._logged_lost.add(unit.asset_id)
            log.warning(
                "device lost", connection=self._connection.id, asset=unit.asset_id, unit=unit.number, reason=str(error)
            )
        self._lose(unit)

    def _answered(self, unit: Unit, batch: SampleBatch) -> None:
        self._breakers[unit.number] = self._breakers[unit.number].answered()
        self._attempts = 0
        unit.lost = False
        if self._line_lost:
            self._line_lost = False
            log.info("connection back", connection=self._connection.id)
        if unit.asset_id in self._logged_lost:
            self._logged_lost.discard(unit.asset_id)
            log.info("device back", connection=self._connection.id, asset=unit.asset_id, unit=unit.number)
        self._status.state = ConnectionState.UP
        self._describe_lost()
        self._log_change(unit, batch)
        self._deliver(batch)

    def _log_change(self, unit: Unit, batch: SampleBatch) -> None:
        """Log once when a unit's values turn bad and once when all are good again."""
        is_bad = unit.has_refused or bool((batch.quality >= BAD_FROM).any())
        trouble, now_s = self._troubles[unit.number], self._now_s()
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

    def _lose(self, unit: Unit) -> None:
        """Report a unit's points as lost, once."""
        if not unit.lost:
            self._deliver(unit.lose(self._clock.now_ns()))
            self._describe_lost()

    def _lose_line(self, reason: str) -> None:
        """Report every unit's points as lost, once, and say why."""
        if not self._line_lost:
            self._line_lost = True
            log.warning("connection lost", connection=self._connection.id, reason=reason)
        for unit in self._units:
            self._lose(unit)
        self._status.state = ConnectionState.DOWN
        self._status.detail = reason

    def _describe_lost(self) -> None:
        lost = [unit.asset_id for unit in self._units if unit.lost]
        self._status.detail = f"no answer from {', '.join(lost)}" if lost else ""

    def _deliver(self, batch: SampleBatch) -> None:
        if not len(batch):
            return
        self._status.samples += len(batch)
        self._status.errors += int(np.count_nonzero(batch.quality >= BAD_FROM))
        if bool((batch.quality < UNCERTAIN_FROM).any()):
            self._status.last_good_ns = int(batch.gateway_time_ns[-1])
        self._config.deliver(Delivery(connection_id=self._connection.id, batch=batch))

    def _suspects(self) -> set[int]:
        """Return the units whose last request stayed without an answer."""
        return {number for number, breaker in self._breakers.items() if breaker.silences}

    def _all_silent(self) -> bool:
        """Say whether every unit's breaker is open: then the connection itself may be a dead one."""
        return all(breaker.state is BreakerState.OPEN for breaker in self._breakers.values())

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def next_unit(units: Sequence[Unit], suspects: set[int]) -> Unit:
    """Return whose turn is next: the one due first, where silent units stand one period behind."""
    return min(units, key=lambda unit: unit.due_s + (unit.period_s if unit.number in suspects else 0.0))


def next_due(due_s: float, period_s: float, now_s: float) -> float:
    """Return the next turn after one that was due at ``due_s`` and ended at ``now_s``.

    Turns stay on the unit's own grid. A late unit takes the turn it is in at once; turns that passed meanwhile are
    skipped, so that nothing piles up.
    """
    return due_s + period_s * max(1, math.floor((now_s - due_s) / period_s))


def _units(devices: Sequence[DeviceConfig], speed: float) -> list[Unit]:
    """Prepare every device, and collect the mistakes of all."""
    units: list[Unit] = []
    mistakes: list[Mistake] = []
    for device in devices:
        try:
            units.append(Unit(device, speed=speed))
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    return units
