"""One paho client with its network thread: paho's pitfalls stay in here.

paho calls back in its own thread, and an exception in a callback would end that thread while the client goes on calling
itself connected; so every callback is guarded, and the thread itself is watched.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from facility.model import Connection

log = structlog.get_logger(__name__)

KEEPALIVE_S: Final = 10
"""A connection that died without a word is noticed within twice this."""

MAX_BACK_OFF_S: Final = 30
"""Longest wall time between two tries to connect."""


class Listener(Protocol):
    """Who hears what happens on a session; every method is called in paho's thread."""

    def on_up(self) -> None:
        """The broker took the subscriptions."""
        ...

    def on_lost(self, reason: str) -> None:
        """The broker is away; may be called again while it stays away."""
        ...

    def on_refused(self, topic: str, reason: str) -> None:
        """The broker does not let us read a topic."""
        ...

    def on_message(
        self, topic: str, payload: bytes | bytearray, *, retained: bool, acknowledge: Callable[[], None] | None
    ) -> bool:
        """Take a message; false for a topic that nobody wants any more."""
        ...

    def on_failure(self) -> None:
        """A message could not be taken because of an error of ours, which has been logged."""
        ...


class Session:
    """The client of a persistent session, connected again for ever by its own thread."""

    def __init__(self, connection: Connection, topics: Sequence[tuple[str, int]], listener: Listener) -> None:
        """Prepare the client of a connection for ``topics`` (name and QoS); :meth:`start` opens it."""
        self._topics = list(topics)
        self._listener = listener
        self._client = _client(connection)
        self._thread: threading.Thread | None = None
        """paho's thread, known from its first callback on."""
        self._turn = threading.RLock()
        self._life = 0
        """Counts connections; an acknowledgement is only true within the one that brought its message."""
        self._client.on_pre_connect = self._on_pre_connect
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Start the thread that connects, reads and connects again."""
        self._client.loop_start()

    def is_alive(self) -> bool:
        """Return whether the thread lives; true until its first sign."""
        return self._thread is None or self._thread.is_alive()

    def close(self) -> None:
        """Disconnect and end the thread (blocks for up to a second); the broker keeps the session."""
        self._end_life()
        self._client.on_disconnect = None
        self._client.disconnect()
        with contextlib.suppress(AttributeError):  # loop_stop fails when the thread ends just while it looks
            self._client.loop_stop()
        if self._thread is not None:
            self._thread.join()

    def _on_pre_connect(self, _client: Client, _userdata: object) -> None:
        self._thread = threading.current_thread()

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._listener.on_lost(f"the broker refused the connection: {reason}")
            return
        # In here and nowhere else, or a reconnect would lose it; a new subscription also brings the retained messages.
        client.subscribe(self._topics)

    def _on_connect_fail(self, _client: Client, _userdata: object) -> None:
        self._listener.on_lost("nobody answers there; check that the broker runs and that this host may reach it")

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._end_life()
        self._listener.on_lost(f"the connection ended: {reason}")

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._listener.on_up()
        for (topic, _), reason in zip(self._topics, reasons, strict=False):
            if reason.is_failure:
                self._listener.on_refused(topic, str(reason))

    def _on_message(self, client: Client, _userdata: object, message: MQTTMessage) -> None:
        acknowledge = partial(self._acknowledge, self._life, message.mid, message.qos) if message.qos else None
        try:
            wanted = self._listener.on_message(
                message.topic, message.payload, retained=message.retain, acknowledge=acknowledge
            )
        except Exception:
            # The edge of paho's thread. Unacknowledged, the message comes again with the next connection.
            log.exception("MQTT message not taken; the broker will send it again", size=len(message.payload))
            self._listener.on_failure()
            return
        if not wanted:
            # The persistent session still subscribes to what an earlier configuration wanted.
            client.unsubscribe(message.topic)
            if acknowledge:
                acknowledge()

    def _acknowledge(self, life: int, mid: int, qos: int) -> None:
        """Tell the broker that a message is safe; from any thread.

        Nothing happens after the connection that brought it: the broker sends it again, and its number may by then
        stand for another message.
        """
        with self._turn:
            if life == self._life:
                self._client.ack(mid, qos)

    def _end_life(self) -> None:
        with self._turn:
            self._life += 1


def _client(connection: Connection) -> Client:
    """Return the unconnected client of a connection's persistent session."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=str(connection.options.get("client_id", f"watchkeeper-{connection.id}")),
        clean_session=False,
        manual_ack=True,
    )
    username = connection.options.get("username")
    if username is not None:
        client.username_pw_set(str(username), str(connection.options.get("password", "")))
    client.reconnect_delay_set(min_delay=1, max_delay=MAX_BACK_OFF_S)
    client.connect_async(connection.host, connection.port, keepalive=KEEPALIVE_S)
    return client
