"""One paho client of the bus with its network thread: paho's pitfalls stay in here.

paho calls back in its own thread, and an exception in a callback would end that thread while the client goes on calling
itself connected; so callbacks are guarded, and :meth:`BusClient.run` watches the thread. Sessions are clean and the
broker keeps nothing but retained messages: what has to survive lies in the spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import structlog
from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from facility.errors import ConfigurationError, Mistake

log = structlog.get_logger(__name__)

KEEPALIVE_S: Final = 10
"""A connection that died without a word is noticed within twice this."""
MAX_BACK_OFF_S: Final = 8
"""Longest wall time between two tries to connect."""
WATCH_S: Final = 1.0
"""Wall time between two looks at the network thread."""
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True, kw_only=True)
class BusAddress:
    """Where the broker is, and how to be let in."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None
    """Certificates that vouch for the broker; ``None``: the machine's own."""
    certificate_file: Path | None = None
    """Our own certificate; ``None``: the broker wants none."""
    key_file: Path | None = None
    """Its key; ``None``: it stands in the certificate's file."""

    @classmethod
    def of(
        cls,
        url: str,
        *,
        ca_file: Path | None = None,
        certificate_file: Path | None = None,
        key_file: Path | None = None,
    ) -> BusAddress:
        """Return what a URL such as ``mqtts://gateway-1:secret@bus.example:8883`` says.

        Raises:
            ConfigurationError: It is none.
        """
        parts = urlsplit(url)
        try:
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            port = 0
        if not (port and parts.hostname):
            message = "is no address of a broker; write such as mqtt://bus.example:1883 or mqtts://user:password@host"
            raise ConfigurationError([Mistake("WATCHKEEPER_BUS_URL", 0, message)])
        return cls(
            host=parts.hostname,
            port=port,
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            tls=parts.scheme == "mqtts",
            ca_file=ca_file,
            certificate_file=certificate_file,
            key_file=key_file,
        )


class Listener(Protocol):
    """Who hears what happens on the bus; every method is called in the network thread."""

    def on_up(self) -> None:
        """The broker took the subscriptions; called with every connection anew."""
        ...

    def on_lost(self, reason: str) -> None:
        """The broker is away; may be called again while it stays away."""
        ...

    def on_message(self, topic: str, payload: bytes) -> None:
        """Take a message."""
        ...


class BusClient:
    """A connection to the broker, made again for ever."""

    def __init__(
        self,
        address: BusAddress,
        *,
        client_id: str,
        subscriptions: Sequence[str],
        last_will: str,
        listener: Listener,
    ) -> None:
        """Prepare; nothing connects before :meth:`run`.

        Args:
            address: Of the broker.
            client_id: Belongs to one process only: the broker ends the connection of an earlier one.
            subscriptions: Topics to hear.
            last_will: Retained topic that the broker empties when this client is gone.
            listener: Who hears.

        Raises:
            ConfigurationError: A certificate cannot be read.
        """
        self._address = address
        self._client_id = client_id
        self._subscriptions = tuple(subscriptions)
        self._last_will = last_will
        self._listener = listener
        self._tls = _tls_context(address) if address.tls else None
        self._client = self._new_client()
        self._thread: threading.Thread | None = None
        """paho's thread, known from its first callback on."""

    async def run(self) -> None:
        """Be connected until cancelled; with a new thread should paho's die."""
        while True:
            self._client.loop_start()
            try:
                while self._thread is None or self._thread.is_alive():  # noqa: ASYNC110  # a thread that dies sets no event
                    await asyncio.sleep(WATCH_S)
            finally:
                await asyncio.to_thread(self._close)
            self._listener.on_lost("the network thread died; another one is started")
            self._thread, self._client = None, self._new_client()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send a message now, from any thread; false when the broker is away, and then it is not kept for later.

        A retained one is sent with QoS 1, all others with QoS 0: whoever needs to know asks for an answer.
        """
        if not self._client.is_connected():
            return False
        return self._client.publish(topic, payload, qos=1 if retain else 0, retain=retain).rc == MQTT_ERR_SUCCESS

    def _close(self) -> None:
        """Say good-bye and end the thread; blocks for up to a second."""
        self._client.on_disconnect = None
        self.publish(self._last_will, b"", retain=True)
        self._client.disconnect()
        with contextlib.suppress(AttributeError):  # loop_stop fails when the thread ends just while it looks
            self._client.loop_stop()
        self._client.reinitialise(self._client_id)  # which alone closes the sockets that woke its thread

    def _new_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._client_id, clean_session=True)
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.will_set(self._last_will, b"", qos=1, retain=True)
        client.reconnect_delay_set(min_delay=1, max_delay=MAX_BACK_OFF_S)
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.connect_async(self._address.host, self._address.port, keepalive=KEEPALIVE_S)
        return client

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
        client.subscribe([(topic, 1) for topic in self._subscriptions])  # in here, or a reconnect would lose it

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
        self._listener.on_lost(f"the connection ended: {reason}")

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [topic for topic, reason in zip(self._subscriptions, reasons, strict=False) if reason.is_failure]
        if refused:
            log.error("the bus refused a subscription; let this account read it", topics=refused)
        self._guarded(self._listener.on_up)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._guarded(lambda: self._listener.on_message(message.topic, bytes(message.payload)))

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:  # the edge of paho's thread; what was not taken is not acknowledged, and comes again
            log.exception("message on the bus not taken; it is sent again", client=self._client_id)


def _tls_context(address: BusAddress) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=address.ca_file)
        if address.certificate_file is not None:
            context.load_cert_chain(address.certificate_file, address.key_file)
    except (OSError, ssl.SSLError) as error:
        message = f"cannot be used: {error}; name PEM files that this user may read"
        raise ConfigurationError(
            [Mistake("WATCHKEEPER_BUS_CA_FILE, …_CERTIFICATE_FILE, …_KEY_FILE", 0, message)]
        ) from error
    return context
