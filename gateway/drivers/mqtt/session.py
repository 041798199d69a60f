"""One connection to a broker, from the call to its end: paho's client and its network thread stay in here.

paho calls back in its own thread, and an exception in a callback ends that thread while the client goes on calling
itself connected. So the thread is ours: whatever ends it, its last act is to say so. What it reads it only appends to a
queue, and the event loop is woken once for all that has gathered by then; acknowledgements go the same way back.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.drivers.mqtt.broker import Announcement, Broker, Subscription, connect, expiring, new_client
from gateway.drivers.mqtt.messages import Ending, Message, Saying, acknowledgement, check_taken

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.02
"""Wall time for which messages gather after a burst was handed over; the first after a pause waits for nobody."""

LOOK_ROUND_S: Final = 1.0
"""Longest wall time for which the thread sleeps: it keeps the connection alive."""

STUCK_S: Final = 60.0
"""Wall time without a turn after which the thread counts as stuck: far more than a call to a broker takes."""

FAREWELL_S: Final = 1.0
"""Wall time that the broker has to take our goodbye."""

READS: Final = 100
"""Packets read in a row before acknowledgements get their turn."""

MAX_WAITING: Final = 50_000
"""Messages that may gather while the event loop is busy; beyond it those that nobody has to acknowledge are dropped."""

MAX_PAYLOAD: Final = 1_000_000
"""Bytes; of a larger payload nothing is kept, so that a flood of them fills no memory."""

TAKEN_OVER: Final = 0x8E
"""MQTT 5 reason code: another client opened the session."""


class Listener(Protocol):
    """Who hears what happens on a session; every method is called on the event loop."""

    def on_open(self) -> None:
        """The broker let us in."""
        ...

    def on_up(self) -> None:
        """The broker took the subscriptions."""
        ...

    def on_refused(self, subscription: Subscription, reason: str) -> None:
        """The broker does not let us read what matches a filter."""
        ...

    def on_burst(self, session: Session, messages: Sequence[Message]) -> None:
        """Take what arrived since the last call, in order."""
        ...

    def on_dropped(self, count: int) -> None:
        """Messages without acknowledgement came faster than they were taken, and were dropped."""
        ...


class Session:
    """One connection, opened by its own thread; it is never opened a second time.

    A message that paho could not send before the connection ended goes with it, so no command reaches a device long
    after whoever gave it was told that it failed.
    """

    def __init__(
        self,
        broker: Broker,
        listener: Listener,
        *,
        announce: Announcement | None = None,
        gather_s: float = GATHER_S,
    ) -> None:
        """Prepare the connection; :meth:`start` opens it. To be made on the event loop that hears of it."""
        self._broker = broker
        self._listener = listener
        self._announce = announce
        self._gather_s = gather_s
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        """Done when the thread is."""
        self._ending: Ending | None = None
        """What the broker or the network said of the end; ``None`` while it said nothing."""
        self._arrived: deque[Message] = deque()
        self._dropped = 0
        self._is_told = False
        """The event loop knows that messages wait."""
        self._next_burst_s = 0.0
        self._owed: deque[int] = deque()
        """Numbers to acknowledge."""
        self._unsent = b""
        """Acknowledgements of which the network has not taken all; nothing else may be sent before them."""
        self._published: dict[int, asyncio.Future[ReasonCode]] = {}
        self._turned_s = time.monotonic()
        """When the thread last turned."""
        self._is_stopping = False
        self._is_woken = False
        self._ear, self._bell = socket.socketpair()
        self._bell.settimeout(0)  # whoever rings never waits
        self._client = self._prepared_client()
        self._thread = threading.Thread(target=self._run, name=f"mqtt {broker.connection.id}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """Tell the broker that messages are safe; from any thread.

        Nothing happens after the end: the broker sends them again with the next connection.
        """
        self._owed.extend(numbers)
        self._wake()

    async def publish(self, saying: Saying) -> None:
        """Publish; return when the broker has confirmed (QoS 1) or when it is sent (QoS 0).

        The message must not wait anywhere for a device that is away, so in version 5 it expires with our patience.

        Raises:
            TimeoutError: No confirmation in time; the session is over then, or the message might still go out.
            ConnectionError: The connection ended.
            DeviceRefusedError: The broker said no, or nobody listens to the topic.
        """
        if self.ended.done():
            raise ConnectionError(self.ended.result().reason)
        timeout_s = self._broker.options.confirm_timeout_s
        properties = expiring(timeout_s) if self._broker.options.version == "5" else None
        confirmed: asyncio.Future[ReasonCode] = self._loop.create_future()
        # paho may confirm before it has told us the number, but its news come through the loop, which is busy with us.
        number = self.send(saying, properties)
        self._published[number] = confirmed
        self._wake()
        try:
            async with asyncio.timeout(timeout_s):
                reason = await confirmed
        except TimeoutError:
            self.stop(Ending("the broker did not confirm a written value"))
            raise
        finally:
            self._published.pop(number, None)
        check_taken(saying.topic, reason)

    def send(self, saying: Saying, properties: Properties | None = None) -> int:
        """Publish and wait for nothing; return the number under which it is confirmed."""
        topic, payload, qos, retain = saying
        return self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties).mid

    def unsubscribe(self, topic: str) -> None:
        """Ask the broker not to send a topic any more."""
        self._client.unsubscribe(topic)

    def stop(self, ending: Ending) -> None:
        """Let the thread end soon."""
        self._ending = self._ending or ending
        self._is_stopping = True
        self._wake()

    def give_up_if_stuck(self) -> None:
        """End the session for its listener if the thread does not turn any more; nobody can end the thread itself."""
        if time.monotonic() - self._turned_s > STUCK_S and not self.ended.done():
            self._is_stopping = True
            self._end(Ending("the network thread is stuck; another one is started"))

    async def close(self) -> None:
        """Say goodbye and wait for the thread; the broker keeps the session.

        A thread that still waits for a broker to answer its call ends by itself, and has nothing to say.
        """
        self.stop(Ending("the gateway stopped"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * FAREWELL_S):
                await asyncio.shield(self.ended)

    def _prepared_client(self) -> Client:
        client = new_client(self._broker)
        if self._announce is not None:
            client.will_set(self._announce.topic, self._announce.death, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_socket_open = _send_small_packets_at_once
        client.on_socket_register_write = self._on_want_write
        return client

    def _run(self) -> None:
        """Call the broker and serve the connection until its end."""
        fallback = Ending("the network thread died; another one is started")
        try:
            connect(self._client, self._broker)
            self._serve()
            fallback = Ending("the connection ended")
        except ssl.SSLCertVerificationError as error:
            why = error.verify_message
            fallback = Ending(f"the broker's certificate is not trusted: {why}; check ca_file and host")
        except OSError as error:
            fallback = Ending(f"{error}; check that the broker runs and that this host may reach it")
        except Exception:
            # The thread's edge. What was not acknowledged comes again with the next connection.
            log.exception("MQTT network thread died; another one is started", connection=self._broker.connection.id)
        finally:
            self._hang_up()
            self._tell(self._end, self._ending or fallback)

    def _serve(self) -> None:
        """Move bytes until paho closes the socket."""
        poller = select.poll()
        poller.register(self._ear, select.POLLIN)
        while not self._is_stopping and (connection := self._client.socket()) is not None:
            has_more = self._unsent or self._client.want_write()
            wanted = select.POLLIN | select.POLLOUT if has_more else select.POLLIN
            poller.register(connection, wanted)
            self._turned_s = time.monotonic()
            ready = dict(poller.poll(LOOK_ROUND_S * 1000))
            if self._ear.fileno() in ready:
                self._ear.recv(64)
                self._is_woken = False
            if ready.get(connection.fileno(), 0) & ~select.POLLOUT:
                self._read()
            self._send_what_waits()
            self._client.loop_misc()
        self._say_goodbye()

    def _read(self) -> None:
        """Read what has come: all of it before anything is sent, since a broker that throws us out says why before."""
        poller = select.poll()
        for _ in range(READS):
            self._client.loop_read()
            connection = self._client.socket()
            if connection is None:
                return
            poller.register(connection, select.POLLIN)
            pending = connection.pending() if isinstance(connection, ssl.SSLSocket) else 0
            if not pending and not poller.poll(0):
                return

    def _send_what_waits(self) -> None:
        """Send all acknowledgements at once, since paho would send each by itself; then what paho has."""
        if not self._client.want_write():
            self._unsent += b"".join(acknowledgement(self._owed.popleft()) for _ in range(len(self._owed)))
        connection = self._client.socket()
        if self._unsent and connection is not None:
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._unsent = self._unsent[connection.send(self._unsent) :]
        if not self._unsent and self._client.want_write():
            self._client.loop_write()

    def _say_goodbye(self) -> None:
        """Acknowledge what is committed, take back the last will by an ordinary message, and disconnect in order."""
        self._send_what_waits()
        if self._announce is not None and self._client.socket() is not None:
            taken = self._client.publish(self._announce.topic, self._announce.death, qos=1, retain=True)
            poller = select.poll()
            for _ in range(round(FAREWELL_S / 0.05)):
                connection = self._client.socket()
                if taken.is_published() or connection is None:
                    break
                self._send_what_waits()
                poller.register(connection, select.POLLIN)
                if poller.poll(50):
                    self._client.loop_read()
        self._client.disconnect()
        self._send_what_waits()

    def _hang_up(self) -> None:
        """Let go of every socket, whatever state paho is in."""
        connection = self._client.socket()
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()
        self._ear.close()
        self._bell.close()

    def _wake(self) -> None:
        """Ring for the thread; from any thread."""
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(OSError):  # it is full of rings, or nobody listens any more
                self._bell.send(b"\0")

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401  # the arguments of `what`
        """Pass news to the event loop; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear it
            self._loop.call_soon_threadsafe(what, *arguments)

    # On the event loop.

    def _schedule(self) -> None:
        """Hand over what arrived, at once or at the end of the time in which more may gather."""
        now_s = self._loop.time()
        if now_s >= self._next_burst_s:
            self._hand_over()
        else:
            self._loop.call_at(self._next_burst_s, self._hand_over)

    def _hand_over(self) -> None:
        self._next_burst_s = self._loop.time() + self._gather_s
        self._is_told = False
        messages = [self._arrived.popleft() for _ in range(len(self._arrived))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            self._listener.on_dropped(dropped)
        if messages:
            self._listener.on_burst(self, messages)

    def _end(self, ending: Ending) -> None:
        self._hand_over()
        for confirmed in self._published.values():
            if not confirmed.done():
                confirmed.set_exception(ConnectionError(ending.reason))
        if not self.ended.done():
            self.ended.set_result(ending)

    def _confirm(self, number: int, reason: ReasonCode) -> None:
        confirmed = self._published.get(number)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(reason)

    # Called by paho, in the network thread.

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._ending = Ending(f"the broker refused the connection: {reason}")
            return
        self._tell(self._listener.on_open)
        if self._announce is not None:
            client.publish(self._announce.topic, self._announce.birth, qos=1, retain=True)
        # In here and nowhere else, or a reconnect would lose it; a new subscription also brings the retained messages.
        if not self._broker.subscriptions:
            self._tell(self._listener.on_up)
        elif self._broker.options.version == "5":
            client.subscribe([(each.filter, SubscribeOptions(qos=each.qos)) for each in self._broker.subscriptions])
        else:
            client.subscribe([(each.filter, each.qos) for each in self._broker.subscriptions])

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _number: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._tell(self._listener.on_up)
        for subscription, reason in zip(self._broker.subscriptions, reasons, strict=False):
            if reason.is_failure:
                self._tell(self._listener.on_refused, subscription, str(reason))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if not message.qos and len(self._arrived) >= MAX_WAITING:
            self._dropped += 1
            return
        self._arrived.append(_message(message))
        if not self._is_told:
            self._is_told = True
            self._tell(self._schedule)

    def _on_publish(
        self, _client: Client, _userdata: object, number: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        self._tell(self._confirm, number, reason)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        said = f"the broker ended the connection: {reason}"
        lost = "the broker is silent" if reason == "Keep alive timeout" else "the connection broke off"
        self._ending = self._ending or Ending(
            said if flags.is_disconnect_packet_from_server else lost, taken_over=reason.value == TAKEN_OVER
        )

    def _on_want_write(self, _client: Client, _userdata: object, _socket: object) -> None:
        if threading.current_thread() is not self._thread:
            self._wake()


def _message(message: MQTTMessage) -> Message:
    """Copy what matters; a topic that is no UTF-8 becomes the empty one, to which nobody listens."""
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = ""
    oversize = len(message.payload) > MAX_PAYLOAD
    payload = None if oversize else bytes(message.payload)
    return Message(topic, payload, message.retain, message.dup, message.mid if message.qos else 0)


def _send_small_packets_at_once(_client: Client, _userdata: object, connection: object) -> None:
    """Let no acknowledgement wait for another one."""
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
