"""Listens to a broker for a while, as a stranger that leaves nothing behind; publishes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from facility.errors import DeviceUnreachableError, WatchkeeperError
from facility.model import Connection
from gateway.drivers.mqtt.broker import read_options, tls_context

CONNECT_S: Final = 10.0
"""Longest wall time until the broker has taken the subscription."""
LARGEST: Final = 1_000_000
"""Bytes of a payload that are looked at."""
_REFUSED_SUBSCRIPTION: Final = 0x80


class Heard(NamedTuple):
    """One message."""

    topic: str
    payload: bytes
    """Cut at :data:`LARGEST`."""
    retained: bool
    at_s: float
    """Wall seconds since the listening began."""


class BrokerRefusedError(WatchkeeperError):
    """The broker does not let us in, or not read."""

    status = 502
    title = "The broker refused"

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(f"The broker at {endpoint} refused: {reason}. Check account, password and what it may read.")


async def listen(connection: Connection, topic: str, *, seconds: float, take: Callable[[Heard], None]) -> None:
    """Hand over every message of a topic filter for some wall seconds.

    Args:
        connection: The broker, with the account in its options; its ``client_id`` is not used.
        topic: A filter such as ``plant/#``.
        seconds: How long, counted from when the broker took the subscription.
        take: Called on the event loop.

    Raises:
        DeviceUnreachableError: Nobody answers.
        BrokerRefusedError: It does not let us in, or not read the topic.
        ConfigurationError: The options have mistakes.
    """
    client = _client(connection)
    session = _Session(client, topic, take)
    endpoint = f"{connection.host}:{connection.port}"
    try:
        await asyncio.to_thread(client.connect, connection.host, connection.port, 30)
    except (OSError, ValueError) as error:
        raise DeviceUnreachableError("No MQTT broker", endpoint, CONNECT_S) from error
    client.loop_start()
    try:
        await session.ready(endpoint)
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(_end, client)


async def forget_session(connection: Connection) -> None:
    """Make a broker forget what it keeps for the connection's ``client_id``; one that is away keeps it.

    A clean session under the same name is the one way that MQTT 3.1.1 has for this.
    """
    client = _client(connection, client_id=str(connection.options["client_id"]))
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_connect(*_: object) -> None:
        loop.call_soon_threadsafe(done.set)

    client.on_connect = on_connect
    try:
        await asyncio.to_thread(client.connect, connection.host, connection.port, 30)
    except (OSError, ValueError):
        return
    client.loop_start()
    try:
        async with asyncio.timeout(CONNECT_S):
            await done.wait()
    except TimeoutError:
        return
    finally:
        await asyncio.to_thread(_end, client)


class _Session:
    """Brings paho's thread and the event loop together; its callbacks raise nothing, or the thread would end."""

    def __init__(self, client: Client, topic: str, take: Callable[[Heard], None]) -> None:
        self._client = client
        self._topic = topic
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[str] = self._loop.create_future()
        self._began_s = self._loop.time()
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message

    async def ready(self, endpoint: str) -> None:
        """Return once the broker took the subscription."""
        try:
            async with asyncio.timeout(CONNECT_S):
                refusal = await self._answer
        except TimeoutError:
            raise DeviceUnreachableError("No MQTT broker", endpoint, CONNECT_S) from None
        if refusal:
            raise BrokerRefusedError(endpoint, refusal)
        self._began_s = self._loop.time()

    def _on_connect(self, client: Client, _data: object, _flags: object, reason: Any, *_: object) -> None:  # noqa: ANN401
        if reason.is_failure:
            self._tell(self._answered, str(reason))
        else:
            client.subscribe(self._topic, qos=1)

    def _on_subscribe(self, _client: Client, _data: object, _mid: int, reasons: list[Any], *_: object) -> None:
        refused = [str(reason) for reason in reasons if reason.value >= _REFUSED_SUBSCRIPTION]
        self._tell(self._answered, refused[0] if refused else "")

    def _on_disconnect(self, *_: object) -> None:
        self._tell(self._answered, "it closed the connection")

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._tell(self._heard, message.topic, bytes(message.payload[:LARGEST]), message.retain)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)

    def _answered(self, refusal: str) -> None:
        if not self._answer.done():
            self._answer.set_result(refusal)

    def _heard(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001  # as paho says it
        self._take(Heard(topic, payload, retained, self._loop.time() - self._began_s))


def _client(connection: Connection, client_id: str = "") -> Client:
    options = read_options(connection)
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True, reconnect_on_failure=False)
    client.connect_timeout = CONNECT_S
    if options.username is not None:
        client.username_pw_set(options.username, options.password or "")
    tls = tls_context(connection, options)
    if tls is not None:
        client.tls_set_context(tls)
    return client


def _end(client: Client) -> None:
    client.disconnect()
    client.loop_stop()
