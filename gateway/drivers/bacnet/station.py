"""Our own side of BACnet/IP: one UDP port, the requests that are out, and whoever reports to it.

Everything runs in the event loop's thread; a datagram is dealt with where it arrives, without a task of its own, so
that a flood of them costs time but no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from gateway.drivers.bacnet import frames, services
from gateway.drivers.bacnet.frames import GLOBAL_NETWORK, MAX_APDU, MAX_SEGMENTS, Address, Apdu, Link, Pdu
from gateway.drivers.bacnet.names import ABORT_REASONS, REJECT_REASONS
from gateway.drivers.bacnet.services import Confirmed, CovNotification, EventNotification, IAm, Unconfirmed
from gateway.drivers.bacnet.tags import MalformedError

TRIES: Final = 2
"""Times that a request is sent before it counts as unanswered."""

LOCAL_INSTANCE: Final = 4_194_302
"""Our own device instance where the connection does not say one; unique on the internetwork if anybody asks."""

VENDOR: Final = 999
BBMD_TTL_S: Final = 60
"""Wall seconds for which a broadcast management device keeps us; renewed at half of it."""

_INVOKE_IDS: Final = 256
_SEGMENTED_RECEIVE: Final = 2


class NoAnswerError(Exception):
    """The device did not answer in time; the driver tries again."""


class RefusedError(Exception):
    """The device answered with an error, reject or abort; the message is its reason."""


class TooLargeError(RefusedError):
    """The answer would not fit; ask for less at once."""


class UnknownServiceError(RefusedError):
    """The device does not offer the service at all."""


class LocalPortError(OSError):
    """Our own UDP port cannot be had."""


class FoundDevice(NamedTuple):
    """A device that introduced itself."""

    address: Address
    device: IAm


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSide:
    """How we appear on the network."""

    port: int = 0
    """UDP port; 0 takes a free one."""
    instance: int = LOCAL_INSTANCE
    bbmd: tuple[str, int] | None = None
    """Broadcast management device to register with as a foreign device; ``None``: broadcasts stay on our own subnet."""
    bbmd_ttl_s: int = BBMD_TTL_S
    broadcast: str = "255.255.255.255"
    """Where our own broadcasts go without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Who takes what a device reports by itself."""

    on_change: Callable[[CovNotification], None]
    on_event: Callable[[EventNotification], None]
    on_hello: Callable[[], None]
    """It introduced itself unasked, as devices do when they start; or somebody else asked for it."""


@dataclass(slots=True)
class _Exchange:
    """A request that waits for its answer."""

    service: Confirmed
    outcome: asyncio.Future[bytes | NoAnswerError | RefusedError]
    segments: bytearray = field(default_factory=bytearray)
    count: int = 0
    """Segments that have come."""

    def settle(self, outcome: bytes | NoAnswerError | RefusedError) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class Station(asyncio.DatagramProtocol):
    """One UDP port of ours, for any number of devices."""

    def __init__(self, local: LocalSide) -> None:
        self.malformed = 0
        """Datagrams that were no BACnet/IP."""
        self._local = local
        self._transport: asyncio.DatagramTransport | None = None
        self._exchanges: dict[tuple[Address, int], _Exchange] = {}
        self._next_id = 0
        self._reports: dict[Address, Reports] = {}
        self._seekers: set[Callable[[FoundDevice], None]] = set()
        self._bbmd: Address | None = None
        self._registration: asyncio.Future[int] | None = None
        self._unsent = ""
        """Why the last datagram did not leave; empty where it did."""

    @property
    def is_open(self) -> bool:
        """Return whether our port is open."""
        return self._transport is not None and not self._transport.is_closing()

    async def request(self, to: Address, service: Confirmed, data: bytes, *, timeout_s: float) -> bytes:
        """Return the parameters of a device's answer; empty for a simple acknowledgement.

        Raises:
            NoAnswerError: Nothing came back after two tries of ``timeout_s`` wall seconds each.
            RefusedError: It refused; see its subclasses.
        """
        invoke_id = self._free_id(to)
        exchange = _Exchange(service, asyncio.get_running_loop().create_future())
        self._exchanges[to, invoke_id] = exchange
        try:
            outcome = await self._outcome(to, invoke_id, exchange, data, timeout_s)
        finally:
            del self._exchanges[to, invoke_id]
        if isinstance(outcome, bytes):
            return outcome
        raise outcome

    def send(self, to: Address, service: Unconfirmed, data: bytes) -> None:
        """Send what nobody answers."""
        apdu = frames.unconfirmed_request(service, data)
        self._send(frames.link(Link.UNICAST, frames.packet(to, apdu)), to)

    def broadcast(self, service: Unconfirmed, data: bytes, *, port: int) -> None:
        """Send what nobody answers to all devices on all networks."""
        to = Address(self._local.broadcast, port, GLOBAL_NETWORK)
        payload = frames.packet(to, frames.unconfirmed_request(service, data))
        if self._bbmd:
            self._send(frames.link(Link.DISTRIBUTE, payload), self._bbmd)
        else:
            self._send(frames.link(Link.BROADCAST, payload), to)

    async def find(
        self,
        at: Address | None,
        *,
        port: int = 47808,
        low: int | None = None,
        high: int | None = None,
        wait_s: float,
        only_one: bool = False,
    ) -> list[FoundDevice]:
        """Return the devices that answer Who-Is, each once, in the order of their instances.

        Args:
            at: Asks the device at this address and everything behind it, if it is a router; ``None`` broadcasts.
            port: UDP port of the others, for a broadcast.
            low: Smallest instance; with ``high`` limits who is asked.
            high: Largest instance.
            wait_s: Wall seconds to wait for answers.
            only_one: Whether to return as soon as one has answered.
        """
        found: dict[tuple[Address, int], FoundDevice] = {}
        first = asyncio.Event()

        def take(each: FoundDevice) -> None:
            if low is None or high is None or low <= each.device.instance <= high:
                found[each.address, each.device.instance] = each
                first.set()

        with self._seeking(take):
            self._ask_who_is(at, services.who_is(low, high), port)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await (first.wait() if only_one else asyncio.sleep(wait_s))
        return sorted(found.values(), key=lambda each: (each.device.instance, each.address))

    @contextlib.contextmanager
    def reporting(self, source: Address, reports: Reports) -> Iterator[None]:
        """Hand a device's own reports to somebody until the block ends."""
        self._reports[source] = reports
        try:
            yield
        finally:
            del self._reports[source]

    @contextlib.contextmanager
    def _seeking(self, take: Callable[[FoundDevice], None]) -> Iterator[None]:
        self._seekers.add(take)
        try:
            yield
        finally:
            self._seekers.discard(take)

    def _ask_who_is(self, at: Address | None, data: bytes, port: int) -> None:
        if at is None:
            self.broadcast(Unconfirmed.WHO_IS, data, port=port)
            return
        self.send(at, Unconfirmed.WHO_IS, data)
        if not at.network:
            self.send(at._replace(network=GLOBAL_NETWORK), Unconfirmed.WHO_IS, data)

    async def _outcome(
        self, to: Address, invoke_id: int, exchange: _Exchange, data: bytes, timeout_s: float
    ) -> bytes | NoAnswerError | RefusedError:
        """Send a request until it is answered, at most :data:`TRIES` times; each segment that comes gives new time."""
        apdu = frames.confirmed_request(invoke_id, exchange.service, data)
        datagram = frames.link(Link.UNICAST, frames.packet(to, apdu, expects_reply=True))
        for _ in range(TRIES):
            self._send(datagram, to)
            while True:
                before = exchange.count
                await asyncio.wait([exchange.outcome], timeout=timeout_s)
                if exchange.outcome.done():
                    return exchange.outcome.result()
                if exchange.count == before:
                    break
            if exchange.count:
                break  # asked again it would begin anew, in the middle of what it sends
        return NoAnswerError(f"no answer from {to}{self._unsent and f' ({self._unsent})'}")

    def _free_id(self, to: Address) -> int:
        """Return an invoke id that no request to a device waits on; the longest unused, so late answers find nobody.

        Raises:
            NoAnswerError: All are out, which a peer's limit of requests in flight never lets happen.
        """
        for _ in range(_INVOKE_IDS):
            invoke_id = self._next_id
            self._next_id = (invoke_id + 1) % _INVOKE_IDS
            if (to, invoke_id) not in self._exchanges:
                return invoke_id
        raise NoAnswerError(f"all requests to {to} are still unanswered")

    def _send(self, datagram: bytes, to: Address) -> None:
        if self._transport is None or not self.is_open:
            self._unsent = "our port is closed"
            return
        self._unsent = ""
        self._transport.sendto(datagram, (to.host, to.port))

    def _answer(self, to: Address, apdu: bytes) -> None:
        self._send(frames.link(Link.UNICAST, frames.packet(to, apdu)), to)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        # A cast, since what asyncio opens for datagrams is no DatagramTransport by its class before Python 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's form
        """Let nobody wait for answers that cannot come any more."""
        self._transport = None
        for exchange in self._exchanges.values():
            exchange.settle(NoAnswerError("our port is closed"))

    def error_received(self, exc: Exception) -> None:
        """Keep why a datagram did not leave, for whoever waits for its answer."""
        self._unsent = str(exc)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Deal with whatever somebody sent; nonsense is counted and nothing else."""
        try:
            source, apdu, result = frames.read_datagram(data, *addr[:2])
            if apdu is not None:
                self._dispatch(source, apdu)
            elif result is not None and source == self._bbmd and self._registration:
                self._note_registration(result)
        except MalformedError:
            self.malformed += 1

    def _dispatch(self, source: Address, apdu: Apdu) -> None:
        if apdu.pdu is Pdu.UNCONFIRMED:
            self._unconfirmed(source, apdu)
        elif apdu.pdu is Pdu.CONFIRMED:
            self._confirmed(source, apdu)
        else:
            exchange = self._exchanges.get((source, apdu.invoke_id))
            if exchange is not None:
                self._answered(source, apdu, exchange)

    # Answers

    def _answered(self, source: Address, apdu: Apdu, exchange: _Exchange) -> None:
        if apdu.pdu in {Pdu.SIMPLE_ACK, Pdu.COMPLEX_ACK, Pdu.ERROR} and apdu.service != exchange.service:
            raise MalformedError("an answer to another request")
        if apdu.is_segment:
            self._take_segment(source, apdu, exchange)
        elif apdu.pdu in {Pdu.SIMPLE_ACK, Pdu.COMPLEX_ACK}:
            exchange.settle(apdu.data if apdu.pdu is Pdu.COMPLEX_ACK else b"")
        elif apdu.pdu is not Pdu.SEGMENT_ACK:
            exchange.settle(_refusal(apdu))

    def _take_segment(self, source: Address, apdu: Apdu, exchange: _Exchange) -> None:
        """Put a long answer together, one confirmed segment after the other."""
        if apdu.sequence != exchange.count:
            if exchange.count:  # it came twice: our word got lost
                self._answer(source, frames.segment_ack(apdu.invoke_id, exchange.count - 1))
            return
        exchange.segments += apdu.data
        exchange.count += 1
        if apdu.more and exchange.count >= MAX_SEGMENTS:
            reason = ABORT_REASONS.number("buffer-overflow")
            self._answer(source, frames.abort(apdu.invoke_id, reason, from_server=False))
            exchange.settle(TooLargeError(f"an answer of more than {MAX_SEGMENTS} segments"))
            return
        self._answer(source, frames.segment_ack(apdu.invoke_id, apdu.sequence))
        if not apdu.more:
            exchange.settle(bytes(exchange.segments))

    # Reports and questions of others

    def _unconfirmed(self, source: Address, apdu: Apdu) -> None:
        reports = self._reports.get(source)
        match apdu.service:
            case Unconfirmed.I_AM:
                found = FoundDevice(source, services.read_i_am(apdu.data))
                for take in tuple(self._seekers):
                    take(found)
                if reports:
                    reports.on_hello()
            case Unconfirmed.WHO_IS:
                self._introduce(source, services.read_who_is(apdu.data))
            case Unconfirmed.COV_NOTIFICATION if reports:
                reports.on_change(services.read_cov(apdu.data))
            case Unconfirmed.EVENT_NOTIFICATION if reports:
                reports.on_event(services.read_event(apdu.data))

    def _confirmed(self, source: Address, apdu: Apdu) -> None:
        """Take a confirmed report and say so; any other request is refused."""
        reports = self._reports.get(source)
        if apdu.is_segment:
            reason = ABORT_REASONS.number("segmentation-not-supported")
            self._answer(source, frames.abort(apdu.invoke_id, reason, from_server=True))
            return
        match apdu.service:
            case Confirmed.COV_NOTIFICATION if reports:
                reports.on_change(services.read_cov(apdu.data))
            case Confirmed.EVENT_NOTIFICATION if reports:
                reports.on_event(services.read_event(apdu.data))
            case _:
                reason = REJECT_REASONS.number("unrecognized-service")
                self._answer(source, frames.reject(apdu.invoke_id, reason))
                return
        self._answer(source, frames.simple_ack(apdu.invoke_id, apdu.service))

    def _introduce(self, source: Address, limits: tuple[int, int] | None) -> None:
        """Answer Who-Is, so that a device can find who its reports are for."""
        instance = self._local.instance
        if limits is None or limits[0] <= instance <= limits[1]:
            mine = IAm(instance, MAX_APDU, _SEGMENTED_RECEIVE, VENDOR)
            self.send(source, Unconfirmed.I_AM, services.i_am(mine))

    # Registration with a broadcast management device

    async def register(self, bbmd: Address, *, ttl_s: int, timeout_s: float) -> bool:
        """Register once as a foreign device; return whether the management device took us."""
        self._bbmd = bbmd
        self._registration = asyncio.get_running_loop().create_future()
        self._send(frames.link(Link.REGISTER_FOREIGN, ttl_s.to_bytes(2, "big")), bbmd)
        await asyncio.wait([self._registration], timeout=timeout_s)
        return self._registration.done() and self._registration.result() == 0

    def _note_registration(self, result: int) -> None:
        if self._registration and not self._registration.done():
            self._registration.set_result(result)


def _refusal(apdu: Apdu) -> NoAnswerError | RefusedError:
    """Return why a request was not done."""
    if apdu.pdu is Pdu.ERROR:
        return RefusedError(services.read_error(apdu.data).reason)
    if apdu.pdu is Pdu.REJECT:
        reason = REJECT_REASONS.name(apdu.service)
        return (UnknownServiceError if reason == "unrecognized-service" else RefusedError)(reason)
    reason = ABORT_REASONS.name(apdu.service)
    return (TooLargeError if reason in _TOO_LARGE else RefusedError)(reason)


_TOO_LARGE: Final = {"buffer-overflow", "segmentation-not-supported", "apdu-too-long", "out-of-resources"}
