"""Devices that speak MQTT: the publisher they share, and the wire that steps them and carries what they say and hear.

Traps this module guards against, each met with paho-mqtt 2.2: a first connection that fails is retried only by
``connect_async`` with ``loop_start``; the reconnect delay grows to 120 s unless set; QoS 1 is queued without bound
while offline and QoS 0 is lost; small packets wait for each other unless ``TCP_NODELAY`` is set.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, TypeVarTuple

import orjson
import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from facility.clock import NS_PER_MS, NS_PER_S, Clock
from facility.model import Connection
from simulators.device import SimulatedDevice, device_seed
from simulators.wire import ticks

log = structlog.get_logger(__name__)

Arguments = TypeVarTuple("Arguments")

KEEPALIVE_S = 30
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 2
"""A device on a building's own network tries again soon; there is no crowd to spare."""

WINDOW = 200
"""QoS 1 messages that may be on their way unacknowledged."""

MAX_WAITING = 50_000
"""QoS 1 messages kept while the broker is away; beyond it the oldest is dropped, as a controller's memory would."""

MAX_HEARD = 100
"""Commands that wait for a device's next step; beyond it the oldest is lost."""

STEP_S = 0.05
"""Facility seconds of one step at speed 1: a change is on the wire at most this long after its cause."""

MIN_WALL_STEP_S = 0.01
"""Wall seconds that a step takes at least; at high speeds the steps grow instead of the load."""


class Message(NamedTuple):
    """One thing a device says."""

    topic: str
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    """One JSON object, or several that were gathered, oldest first."""
    qos: int = 0
    retain: bool = False


class MqttPublisher:
    """A connection to a broker that keeps QoS 1 messages until they are acknowledged.

    Used as an asynchronous context manager; inside, the connection comes and goes by itself.
    """

    def __init__(self, connection: Connection, name: str, *, hears: Sequence[str] = ()) -> None:
        self.sessions = 0
        """Connections made so far; a change means that the broker may have forgotten retained messages."""
        self.dropped = 0
        """QoS 1 messages lost because the broker was away for too long."""
        self._connection = connection
        self._log = log.bind(connection=connection.id, broker=f"{connection.host}:{connection.port}")
        self._lost = False
        self._connected = False
        self._waiting: deque[Message] = deque()
        self._unacknowledged: set[int] = set()
        self._hears = tuple(hears)
        self._heard: deque[tuple[str, bytes]] = deque(maxlen=MAX_HEARD)
        self._progress = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = self._build_client(f"{connection.id}-{name}-{secrets.token_hex(4)}")

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self._connection.host, self._connection.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        self._connected = False

    @property
    def connected(self) -> bool:
        """Return whether the broker has accepted the connection and not lost it."""
        return self._connected

    def publish(self, message: Message) -> None:
        """Send at once, or keep (QoS 1) or drop (QoS 0) while the broker is away."""
        if message.qos > 0:
            self._waiting.append(message)
            self._drop_oldest()
            self._send_waiting()
        elif self._connected:
            self._send(message)

    def take_heard(self) -> list[tuple[str, bytes]]:
        """Return topic and payload of every command since the last call."""
        heard = []
        while self._heard:
            heard.append(self._heard.popleft())
        return heard

    async def settled(self, at_most: int = 0) -> None:
        """Return when at most so many QoS 1 messages are not yet acknowledged."""
        while len(self._waiting) + len(self._unacknowledged) > at_most:
            self._progress.clear()
            await self._progress.wait()

    def _drop_oldest(self) -> None:
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1

    def _send_waiting(self) -> None:
        while self._connected and self._waiting and len(self._unacknowledged) < WINDOW:
            self._unacknowledged.add(self._send(self._waiting.popleft()))

    def _send(self, message: Message) -> int:
        payload = orjson.dumps(message.body)
        return self._client.publish(message.topic, payload, qos=message.qos, retain=message.retain).mid

    def _build_client(self, client_id: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        options = self._connection.options
        if options.get("username"):
            client.username_pw_set(str(options["username"]), str(options.get("password", "")))
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.max_inflight_messages_set(WINDOW)
        client.max_queued_messages_set(2 * WINDOW)
        client.on_socket_open = _send_small_packets_at_once
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    # The five below run in paho's thread and only pass the news to the loop, since an exception there would kill the
    # thread while the client still called itself connected.

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._tell(self._note_lost, str(reason))
        else:
            if self._hears:  # in here, or a reconnect would lose it
                client.subscribe([(topic, 1) for topic in self._hears])
            self._tell(self._note_connected)

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        self._tell(self._note_lost, "no answer")

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._tell(self._note_lost, str(reason))

    def _on_publish(
        self, _client: Client, _data: object, mid: int, _reason: ReasonCode, _properties: Properties
    ) -> None:
        self._tell(self._note_acknowledged, mid)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if not message.retain:  # a command of yesterday is not for today
            self._tell(self._heard.append, (message.topic, bytes(message.payload)))

    def _tell(self, what: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)

    def _note_connected(self) -> None:
        if self._lost:
            self._log.info("broker is back")
        self._lost = False
        self._connected = True
        self.sessions += 1
        self._send_waiting()

    def _note_lost(self, reason: str) -> None:
        if not self._lost:
            self._log.warning("broker lost; events are kept and the connection is tried again", reason=reason)
        self._lost = True
        self._connected = False

    def _note_acknowledged(self, mid: int) -> None:
        self._unacknowledged.discard(mid)
        self._send_waiting()
        self._progress.set()


def _send_small_packets_at_once(_client: Client, _data: object, connection: object) -> None:
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Cadence:
    """Says when something is due that is said every so many seconds."""

    def __init__(self, period_s: float, phase: float = 0.0) -> None:
        """Take the period, and which part of it lies before the grid: devices that share a broker speak in turn."""
        self._period_ns = round(period_s * NS_PER_S)
        self._offset_ns = round(phase * self._period_ns)
        self._due_ns = 0

    def is_due(self, now_ns: int) -> bool:
        """Return whether it is due, and if so set the next time on the same grid."""
        if now_ns < self._due_ns:
            return False
        self._due_ns = now_ns - (now_ns - self._offset_ns) % self._period_ns + self._period_ns
        return True


class Speaker(Protocol):
    """Turns the state of one device into what it says on the wire, and what it hears into what it does."""

    @property
    def device(self) -> SimulatedDevice:
        """The device that it speaks for."""
        ...

    def messages(self, now_ns: int, *, anew: bool) -> Iterable[Message]:
        """Return what is due now.

        Args:
            now_ns: Facility time.
            anew: The connection is new, so retained states are said again.
        """
        ...

    @property
    def hears(self) -> str:
        """The topic on which it takes commands."""
        ...

    def obey(self, command: Mapping[str, object]) -> None:
        """Do what a command says, or nothing where the device does not know it."""
        ...


class MqttWire:
    """Steps devices on facility time and publishes what they say."""

    def __init__(self, connection: Connection, name: str, speakers: Sequence[Speaker], *, clock: Clock) -> None:
        self.devices = tuple(speaker.device for speaker in speakers)
        self._speakers = tuple(speakers)
        self._clock = clock
        self._connection = connection
        self._name = name

    async def run(self) -> None:
        """Step and publish until cancelled; a broker that is away is tried again for ever."""
        step_s = max(STEP_S, MIN_WALL_STEP_S * self._clock.speed)
        topics = [speaker.hears for speaker in self._speakers]
        async with MqttPublisher(self._connection, self._name, hears=topics) as publisher:
            sessions = publisher.sessions
            async for now_ns, dt_s in ticks(self._clock, step_s):
                anew, sessions = sessions != publisher.sessions, publisher.sessions
                self._obey(publisher.take_heard())
                for speaker in self._speakers:
                    speaker.device.step(now_ns, dt_s)
                    for message in speaker.messages(now_ns, anew=anew):
                        publisher.publish(message)

    def _obey(self, heard: Iterable[tuple[str, bytes]]) -> None:
        listeners = {speaker.hears: speaker for speaker in self._speakers}
        for topic, payload in heard:
            with contextlib.suppress(orjson.JSONDecodeError):  # as a controller does with what it cannot read
                command = orjson.loads(payload)
                if isinstance(command, dict) and topic in listeners:
                    listeners[topic].obey(command)


def milliseconds(now_ns: int) -> float:
    """Return the time as the wire spells it."""
    return now_ns / NS_PER_MS


def phase_of(asset_id: str) -> float:
    """Return when within a period a device speaks, from 0 up to 1; the same on every start."""
    return device_seed(0, asset_id) / 2**64
