"""Reads what devices publish to one MQTT broker; acknowledges a message only once it is committed.

The session is persistent: while the gateway is away the broker keeps QoS 1 messages, and what it delivered without an
acknowledgement comes again. How many may be under way unacknowledged is ours to say in MQTT 5 (``max_in_flight``); in
3.1.1 it is the broker's: mosquitto's default of 20 means 200 messages/s when history commits ten times a second, so set
its ``max_inflight_messages`` to 1000.

Everything here runs on the event loop; the network thread stays within :mod:`gateway.drivers.mqtt.session`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from facility.errors import ConfigurationError, DeviceUnreachableError, Mistake
from facility.model import Point
from facility.quality import Quality
from facility.samples import Sample
from gateway.breaker import draw_jitter
from gateway.drivers.driver import DriverConfig, PointWrite
from gateway.drivers.mqtt.broker import Announcement, Broker, Subscription, read_options, tls_context
from gateway.drivers.mqtt.commands import compile_commands, nothing_to_take_back, refused
from gateway.drivers.mqtt.intake import Intake
from gateway.drivers.mqtt.messages import Ending, Message, Saying
from gateway.drivers.mqtt.reading import Reading
from gateway.drivers.mqtt.reports import Reports
from gateway.drivers.mqtt.retries import Retries
from gateway.drivers.mqtt.session import Session
from gateway.drivers.mqtt.sparkplug.host import SparkplugHost, state_of
from gateway.drivers.mqtt.sparkplug.metrics import NAMESPACE, is_sparkplug
from gateway.drivers.mqtt.subscriptions import Routes, filter_mistake, plan_subscriptions
from gateway.drivers.mqtt.topic_source import TopicSource
from gateway.drivers.mqtt.topics import compile_topics
from gateway.drivers.mqtt.units import Units
from gateway.events import ConnectionState

log = structlog.get_logger(__name__)

LOOK_S: Final = 0.25
"""Wall time between two looks at the devices' silence."""

MAX_STRANGERS: Final = 1000
"""Topics that nobody wants any more and that the broker was told so, per connection."""


class MqttDriver:
    """One broker and all devices that publish to it; its options are :class:`facility.mqtt_options.MqttOptions`."""

    def __init__(self, config: DriverConfig) -> None:
        """Compile the topics of all devices.

        Raises:
            ConfigurationError: A point's mapping or an option has mistakes.
        """
        self._config = config
        self._status = config.status
        self._options = read_options(config.connection)
        plain = [device for device in config.devices if not is_sparkplug(device)]
        self._topics = TopicSource(compile_topics(plain))
        self._commands = compile_commands(plain)
        self._sparkplug = SparkplugHost([device for device in config.devices if is_sparkplug(device)])
        self._units = Units(config.devices, config.status)
        self._reports = Reports()
        self._intake = Intake(config, self, self._units, self._reports)
        self._broker = Broker(
            connection=config.connection,
            options=self._options,
            tls=tls_context(config.connection, self._options),
            subscriptions=plan_subscriptions(
                [*self._topics.wanted, *self._sparkplug.wanted], _wide_filters(config, self._options.subscribe)
            ),
        )
        self._subscribed = Routes((each.filter, each) for each in self._broker.subscriptions)
        self._session: Session | None = None
        """``None`` while the broker is away."""
        self._is_lost = False
        """Whether the loss of the broker has been logged and delivered."""
        self._up_since_s: float | None = None
        """When the present connection was made; ``None`` while there is none."""
        self._strangers: set[str] = set()
        """Topics of an earlier configuration, which the broker was asked to forget."""

    async def run(self) -> None:
        """Read until cancelled; connect again for ever."""
        self._status.state = ConnectionState.CONNECTING
        connection = self._config.connection.id
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_connected(), name=f"mqtt {connection}")
                group.create_task(self._watch_silence(), name=f"mqtt silence {connection}")
        finally:
            self._status.state, self._status.detail = ConnectionState.DOWN, "it is not read any more"

    async def write(self, write: PointWrite) -> None:
        """Publish a value on the topic that the point's profile says; return when the broker has taken it.

        Sparkplug wants commands with QoS 0, which nobody confirms; the device's next report then tells.

        Raises:
            DeviceUnreachableError: The broker is away or did not confirm in time.
            DeviceRefusedError: The broker said no, or the point cannot be written so.
        """
        if write.value is None:
            raise nothing_to_take_back(write.point)
        saying = self._saying(write.point, write.value)
        session = self._connected(write.point, self._options.confirm_timeout_s)
        try:
            await session.publish(saying)
        except (TimeoutError, ConnectionError) as error:
            raise self._unreachable(write.point, self._options.confirm_timeout_s) from error

    async def read(self, point: Point) -> Sample:
        """Return the point's next report: MQTT cannot ask for one.

        Raises:
            DeviceUnreachableError: The broker is away, or the device did not report in time.
        """
        timeout_s = self._options.report_timeout_s
        self._connected(point, timeout_s)
        try:
            return await self._reports.next_of(point.key, timeout_s)
        except TimeoutError as error:
            raise self._unreachable(point, timeout_s) from error

    def read_message(self, message: Message, now_ns: int) -> Sequence[Reading]:
        """Return what a message says, by device; empty for a topic that nobody is interested in."""
        is_sparkplug_topic = message.topic.startswith(f"{NAMESPACE}/")
        source = self._sparkplug if is_sparkplug_topic else self._topics
        return source.read(message, now_ns, speed=self._config.clock.speed)

    def on_open(self) -> None:
        """The broker let us in; what it kept for us comes before it answers anything."""
        self._up_since_s = asyncio.get_running_loop().time()
        now_ns = self._config.clock.now_ns()
        for unit in self._units:
            unit.begin(now_ns)

    def on_up(self) -> None:
        """The broker took the subscriptions."""
        self._status.state, self._status.detail = ConnectionState.UP, ""
        self._sparkplug.begin(self._config.clock.now_ns())
        self._ask_for_births()
        if self._is_lost:
            self._is_lost = False
            log.info("MQTT broker is back", connection=self._status.connection_id)

    def on_refused(self, subscription: Subscription, reason: str) -> None:
        """The broker does not let us read what matches a filter: its points are configured wrongly."""
        log.warning(
            "MQTT subscription refused; let this account read the topic",
            connection=self._config.connection.id,
            topic=subscription.filter,
            reason=reason,
        )
        now_ns = self._config.clock.now_ns()
        samples = self._topics.without_value(subscription.filter, now_ns, Quality.BAD_CONFIGURATION)
        self._intake.deliver_bad(samples)

    def on_burst(self, session: Session, messages: Sequence[Message]) -> None:
        """Deliver what arrived since the last call."""
        try:
            self._intake.take(messages, session.acknowledge)
        except Exception:
            # An error of ours, at the loop's edge. Unacknowledged, the messages come again with the next connection.
            log.exception("MQTT messages not taken; the broker will send them again", count=len(messages))
            self._status.errors += 1
        self._ask_for_births()
        self._forget_strangers(session, messages)

    def on_dropped(self, count: int) -> None:
        """Count messages that came faster than they were taken."""
        self._status.dropped += count

    async def _keep_connected(self) -> None:
        retries = Retries()
        while True:
            ending, lasted_s = await self._serve_once()
            retries = retries.after(lasted_s, taken_over=ending.taken_over)
            self._lose(self._words(ending, retries))
            await asyncio.sleep(retries.wait_s(draw_jitter()))

    async def _serve_once(self) -> tuple[Ending, float | None]:
        """Hold one connection until it ends; return why, and how many seconds it lasted (``None``: it never was)."""
        self._session = session = Session(self._broker, self, announce=self._announcement())
        session.start()
        try:
            ending = await asyncio.shield(session.ended)
        finally:
            self._session = None
            await session.close()
        up_since_s, self._up_since_s = self._up_since_s, None
        return ending, None if up_since_s is None else asyncio.get_running_loop().time() - up_since_s

    def _announcement(self) -> Announcement | None:
        topic, host_id = self._options.status_topic, self._options.primary_host
        if host_id is not None:
            return state_of(host_id, self._config.clock.now_ns())
        return Announcement(topic, b"online", b"offline") if topic is not None else None

    def _words(self, ending: Ending, retries: Retries) -> str:
        """Return why the connection ended, and what to do about a name that two clients have."""
        remedy = f"give each gateway a client_id of its own, now {self._broker.client_id!r}"
        if ending.taken_over:
            return f"another client opened a connection with our name and took the session; {remedy}"
        if retries.is_suspicious:
            often = f"{retries.briefs} times in a row as soon as it was made"
            return f"{ending.reason}, {often}: another client may have our name; {remedy}"
        return ending.reason

    def _lose(self, reason: str) -> None:
        """The broker is away: log it and deliver it for every point, once until it is back."""
        self._status.state = ConnectionState.DOWN
        if not self._is_lost:
            self._is_lost = True
            connection, at = self._config.connection.id, self._broker.endpoint
            log.warning("MQTT broker lost; trying until it is back", connection=connection, at=at, reason=reason)
        self._intake.lose(self._units, lambda _unit: reason)
        self._status.detail = reason

    async def _watch_silence(self) -> None:
        while True:
            self._config.pulse.turn("silence")
            await asyncio.sleep(LOOK_S)
            if self._session is not None:
                self._session.give_up_if_stuck()
            if self._status.state is ConnectionState.UP:
                self._lose_silent()
                self._ask_for_births()

    def _lose_silent(self) -> None:
        clock = self._config.clock
        now_ns = clock.now_ns()
        unborn = [self._units[asset] for asset in self._sparkplug.unborn(now_ns, speed=clock.speed)]
        for units, reason in (
            (self._units.overdue(now_ns), lambda unit: unit.silence),
            (unborn, lambda _unit: "no birth certificate came"),
        ):
            for unit in self._intake.lose(units, reason):
                unit.status.timeouts += 1
                log.warning("MQTT device lost", asset=unit.asset_id, reason=unit.status.detail)

    def _ask_for_births(self) -> None:
        if self._session is not None:
            for topic, payload in self._sparkplug.rebirths(self._config.clock.now_ns(), speed=self._config.clock.speed):
                self._session.send(Saying(topic, payload))

    def _saying(self, point: Point, value: float) -> Saying:
        """Return the message that writes a value.

        Raises:
            DeviceRefusedError: The point cannot be written so.
        """
        if self._sparkplug.knows(point):
            topic, payload = self._sparkplug.command(point, value, self._config.clock.now_ns())
            return Saying(topic, payload, qos=0)
        command = self._commands.get(point.key)
        if command is None:
            raise refused(point)
        return Saying(command.topic, command.payload(value), qos=1, retain=command.retain)

    def _forget_strangers(self, session: Session, messages: Sequence[Message]) -> None:
        """Unsubscribe from what the persistent session still brings though the configuration wants it no more."""
        for topic in {message.topic for message in messages} - self._strangers:
            if len(self._strangers) < MAX_STRANGERS and not self._subscribed.of(topic):
                self._strangers.add(topic)
                session.unsubscribe(topic)

    def _connected(self, point: Point, timeout_s: float) -> Session:
        if self._session is None or self._status.state is not ConnectionState.UP:
            raise self._unreachable(point, timeout_s)
        return self._session

    def _unreachable(self, point: Point, timeout_s: float) -> DeviceUnreachableError:
        return DeviceUnreachableError(point.asset_id, f"the broker {self._broker.endpoint}", timeout_s)


def _wide_filters(config: DriverConfig, written: Sequence[str]) -> list[str]:
    """Return the filters that the site asks for.

    Raises:
        ConfigurationError: One is no filter.
    """
    wrong = [mistake for mistake in map(filter_mistake, written) if mistake]
    if wrong:
        raise ConfigurationError([Mistake(config.connection.id, 0, f"'subscribe': {mistake}") for mistake in wrong])
    return list(written)
