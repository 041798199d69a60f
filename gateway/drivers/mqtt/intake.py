"""From the messages of one burst to one delivery: read, thin out what came before, count, tell the log."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Protocol

import structlog

from facility.quality import BAD_FROM, Quality
from facility.samples import Sample, SampleBatch
from gateway.drivers.driver import DriverConfig
from gateway.drivers.mqtt.duplicates import Duplicates
from gateway.drivers.mqtt.messages import Message
from gateway.drivers.mqtt.reading import Reading, bad_points, without_value
from gateway.drivers.mqtt.reports import Reports
from gateway.drivers.mqtt.units import Unit, Units
from gateway.events import Delivery, DeviceEvent
from gateway.trouble import Trouble

log = structlog.get_logger(__name__)

MAX_UNIT_NAMES: Final = 5
"""Devices named in the connection's state; of more it says how many."""


class Source(Protocol):
    """What turns messages into readings."""

    def read_message(self, message: Message, now_ns: int) -> Sequence[Reading]:
        """Return what a message says, by device; empty for a topic that nobody is interested in."""
        ...


class Intake:
    """Where all that a broker's devices say passes through, in bursts."""

    def __init__(self, config: DriverConfig, source: Source, units: Units, reports: Reports) -> None:
        self._config = config
        self._status = config.status
        self._source = source
        self._units = units
        self._reports = reports
        self._duplicates = Duplicates()
        self._troubled: defaultdict[str, Trouble] = defaultdict(Trouble)
        """Devices that ever said something bad, so that each trouble is logged once."""

    def take(self, messages: Sequence[Message], acknowledge: Callable[[Sequence[int]], None]) -> None:
        """Deliver what messages say, all at once; ``acknowledge`` is called with their numbers once it is committed."""
        numbers = [message.number for message in messages if message.number]
        burst = self._duplicates.open_burst(is_acknowledged=bool(numbers))
        now_ns = self._config.clock.now_ns()
        samples: list[Sample] = []
        events: list[DeviceEvent] = []
        for message in messages:
            for reading in self._readings(message, now_ns):
                samples += reading.samples
                events += reading.events
        settle = partial(self._settle, burst, numbers, acknowledge) if numbers else None
        if samples or events:
            self._deliver(samples, events, settle)
        elif settle is not None:
            settle()  # nothing new: all of it is safe already, or nobody wants it

    def lose(self, units: Iterable[Unit], reason: Callable[[Unit], str]) -> list[Unit]:
        """Deliver devices as lost, once until each is back; return those whose loss is news."""
        lost = [unit for unit in units if unit.lose(reason(unit))]
        points = [point for unit in lost for point in unit.points]
        self._duplicates.forget(point.key for point in points)
        if lost:
            bad = without_value(points, self._config.clock.now_ns(), Quality.BAD_COMMUNICATION)
            self._deliver(bad, [], _owe_nothing)
            self._tell_state()
        return lost

    def deliver_bad(self, samples: Sequence[Sample]) -> None:
        """Deliver samples that no message brought."""
        self._duplicates.forget(sample.point for sample in samples)
        self._deliver(samples, [], _owe_nothing)

    def _readings(self, message: Message, now_ns: int) -> list[Reading]:
        """Return what is new in a message."""
        if self._duplicates.has_come(message):
            self._status.duplicates += 1
            return []
        try:
            readings = self._source.read_message(message, now_ns)
        except Exception:
            # An error of ours. The message is acknowledged all the same: it would come again and fail again, and a few
            # such messages would fill the broker's window for good.
            log.exception("MQTT message could not be read", connection=self._config.connection.id, topic=message.topic)
            self._status.errors += 1
            return []
        for reading in readings:
            self._take_note(reading, message, now_ns)
        return [reading for reading in readings if reading.samples or reading.events]

    def _take_note(self, reading: Reading, message: Message, now_ns: int) -> None:
        unit = self._units[reading.asset_id]
        if reading.lost:
            self._lose_by_its_own_word(unit, reading)
            return
        bad = reading.bad
        if unit.hear(reading, bad, now_ns):
            log.info("MQTT device is back", connection=self._config.connection.id, asset=unit.asset_id)
            self._tell_state()
        if bad or reading.asset_id in self._troubled:
            self._log_change(reading, bad, message.topic)
        if not message.retained:
            self._reports.offer(sample for sample in reading.samples if sample.quality != Quality.UNCERTAIN_BUFFERED)
        self._status.duplicates += self._duplicates.thin(reading)

    def _lose_by_its_own_word(self, unit: Unit, reading: Reading) -> None:
        """Take a death certificate: the points lose their value, once."""
        if not unit.lose(reading.lost):
            reading.samples = []
            return
        self._duplicates.forget(point.key for point in unit.points)
        log.warning("MQTT device lost", asset=unit.asset_id, reason=reading.lost)
        self._tell_state()

    def _deliver(
        self, samples: Sequence[Sample], events: Sequence[DeviceEvent], acknowledge: Callable[[], None] | None
    ) -> None:
        status = self._status
        bad = sum(sample.quality >= BAD_FROM for sample in samples)
        status.samples += len(samples)
        status.errors += bad
        if bad < len(samples):
            status.last_good_ns = self._config.clock.now_ns()
        batch = SampleBatch.of(samples)
        if len({sample.point for sample in samples}) < len(samples):
            batch = batch.not_before(0)  # a burst has one time, and tells of a point in an order
        self._config.deliver(
            Delivery(
                connection_id=status.connection_id,
                batch=batch,
                events=tuple(events),
                acknowledge=acknowledge,
            )
        )

    def _settle(self, burst: int, numbers: Sequence[int], acknowledge: Callable[[Sequence[int]], None]) -> None:
        """Take note that a burst is committed; from any thread."""
        self._duplicates.settle(burst)
        acknowledge(numbers)

    def _tell_state(self) -> None:
        """Say in the connection's figures which devices on it are lost, while the connection itself is there."""
        lost = [unit.asset_id for unit in self._units if unit.is_lost]
        more = [f"{len(lost) - MAX_UNIT_NAMES} more"] if len(lost) > MAX_UNIT_NAMES else []
        self._status.detail = f"lost: {', '.join(lost[:MAX_UNIT_NAMES] + more)}" if lost else ""

    def _log_change(self, reading: Reading, bad: int, topic: str) -> None:
        """Log once when a device's payloads turn bad and once when they are good again."""
        trouble, now_s = self._troubled[reading.asset_id], time.monotonic()
        if bad and trouble.bad(now_s):
            log.warning(
                "MQTT payload has bad values; compare what the device publishes with its profile",
                connection=self._config.connection.id,
                topic=topic,
                points=bad_points(self._units[reading.asset_id].points, reading.samples),
            )
        elif not bad and trouble.good(now_s):
            log.info("MQTT payload is good again", connection=self._config.connection.id, topic=topic)


def _owe_nothing() -> None:
    """Acknowledge a loss, of which nobody waits to hear.

    It travels with those messages that are acknowledged, so that it is never dropped and no return overtakes it.
    """
