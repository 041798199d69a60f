"""Reads what devices publish to one MQTT broker; acknowledges a message only once it is committed.

The session is persistent: while the gateway is away the broker keeps QoS 1 messages, and what it delivered without an
acknowledgement comes again. The broker has at most ``max_inflight_messages`` unacknowledged messages under way to us:
mosquitto's default of 20 means 4,000 messages/s at 5 ms a commit; set it to 1000 on a busy broker.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import structlog

from facility.quality import Quality
from gateway.drivers.driver import DriverConfig
from gateway.drivers.mqtt.session import Session
from gateway.drivers.mqtt.topics import Reading, Topic, compile_topics
from gateway.events import ConnectionState, Delivery
from gateway.trouble import Trouble

log = structlog.get_logger(__name__)

WATCH_S: Final = 1.0
"""Wall time between two looks at the network thread."""


class MqttDriver:
    """One broker and all devices that publish to it.

    Connection options: ``client_id`` (default ``watchkeeper-`` and the connection's id; the broker knows the session by
    it, so it must stay the same and belong to one gateway only), ``username``, ``password``.
    """

    def __init__(self, config: DriverConfig) -> None:
        """Compile the topics of all devices.

        Raises:
            ConfigurationError: A point's mapping lacks a key.
        """
        self._config = config
        self._topics = compile_topics(config.devices)
        self._is_lost = False
        """Whether the loss of the broker has been logged and delivered."""
        self._troubles: defaultdict[str, Trouble] = defaultdict(Trouble)
        """By topic, so that each trouble is logged once."""

    async def run(self) -> None:
        """Read until cancelled; connect again for ever, with a new thread should paho's die."""
        subscriptions = [(topic.name, topic.qos) for topic in self._topics.values()]
        while True:
            session = Session(self._config.connection, subscriptions, self)
            session.start()
            try:
                while session.is_alive():  # noqa: ASYNC110  # a thread that dies sets no event
                    await asyncio.sleep(WATCH_S)
            finally:
                await asyncio.to_thread(session.close)
            self.on_lost("the network thread died; another one is started")

    def on_message(
        self, topic: str, payload: bytes | bytearray, *, retained: bool, acknowledge: Callable[[], None] | None
    ) -> bool:
        """Deliver what a message says; false for a topic that no point is mapped to."""
        reader = self._topics.get(topic)
        if reader is None:
            return False
        clock = self._config.clock
        reading = reader.read(payload, clock.now_ns(), retained=retained, speed=clock.speed)
        self._log_change(reader, reading)
        self._deliver(reading, acknowledge)
        return True

    def on_up(self) -> None:
        """The broker took the subscriptions."""
        status = self._config.status
        status.state, status.detail = ConnectionState.UP, ""
        if self._is_lost:
            self._is_lost = False
            log.info("MQTT broker is back", connection=status.connection_id)

    def on_lost(self, reason: str) -> None:
        """The broker is away: log it and deliver it for every point, once until it is back."""
        status = self._config.status
        status.state, status.detail = ConnectionState.DOWN, reason
        if self._is_lost:
            return
        self._is_lost = True
        connection = self._config.connection
        endpoint = f"{connection.host}:{connection.port}"
        log.warning("MQTT broker lost; trying until it is back", connection=connection.id, at=endpoint, reason=reason)
        for topic in self._topics.values():
            self._deliver(topic.without_value(self._config.clock.now_ns(), Quality.BAD_COMMUNICATION), None)

    def on_refused(self, topic: str, reason: str) -> None:
        """The broker does not let us read a topic: its points are configured wrongly."""
        log.warning(
            "MQTT subscription refused; let this account read the topic",
            connection=self._config.connection.id,
            topic=topic,
            reason=reason,
        )
        self._deliver(self._topics[topic].without_value(self._config.clock.now_ns(), Quality.BAD_CONFIGURATION), None)

    def on_failure(self) -> None:
        """Count a message that could not be taken."""
        self._config.status.errors += 1

    def _deliver(self, reading: Reading, acknowledge: Callable[[], None] | None) -> None:
        status = self._config.status
        status.samples += len(reading.batch)
        status.errors += reading.bad
        if reading.bad < len(reading.batch):
            status.last_good_ns = self._config.clock.now_ns()
        self._config.deliver(
            Delivery(
                connection_id=status.connection_id,
                batch=reading.batch,
                events=reading.events,
                acknowledge=acknowledge,
            )
        )

    def _log_change(self, topic: Topic, reading: Reading) -> None:
        """Log once when a topic's payloads turn bad and once when they are good again."""
        connection, trouble, now_s = self._config.connection.id, self._troubles[topic.name], time.monotonic()
        if reading.bad and trouble.bad(now_s):
            log.warning(
                "MQTT payload has bad values; compare what the device publishes with its profile",
                connection=connection,
                topic=topic.name,
                points=topic.bad_points(reading.batch),
            )
        elif not reading.bad and trouble.good(now_s):
            log.info("MQTT payload is good again", connection=connection, topic=topic.name)
