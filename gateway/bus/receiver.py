"""The engine's side of the bus: frames of all gateways in, deliveries out, and acknowledgements back.

A frame is acknowledged once everything in it is committed. Frames that come twice are taken once; a gap in a stream is
answered by asking for the stream again. Nothing here needs to survive a restart: what was not acknowledged comes again,
and rules, alarms and events take everything twice without harm.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
import structlog

from facility.errors import WatchkeeperError
from facility.model import Facility, Point
from facility.quality import UNCERTAIN_FROM, Quality
from facility.samples import Sample, SampleBatch
from gateway.bus import frame, report
from gateway.bus.calls import Answer, Caller, GatewayAwayError
from gateway.bus.client import BusAddress, BusClient
from gateway.bus.topics import ACKNOWLEDGED, AGAIN, ANSWER, CALL, REPORT, Topics
from gateway.drivers.driver import PointWrite
from gateway.events import ConnectionState, ConnectionStatus, Delivery, GatewayStatus
from gateway.spool import body
from gateway.spool.intervals import Intervals
from gateway.spool.lanes import Lane

log = structlog.get_logger(__name__)

ASK_AGAIN_S: Final = 1.0
"""Wall seconds between two questions for the same gateway's stream."""


@dataclass(slots=True, kw_only=True)
class _Spool:
    """What came out of one gateway's spool; written by the network thread, ``done`` and ``unsaid`` under the lock."""

    identity: int
    received: Intervals = field(default_factory=Intervals)
    done: Intervals = field(default_factory=Intervals)
    unsaid: Intervals = field(default_factory=Intervals)
    """Committed, and the gateway not told yet."""
    newest: npt.NDArray[np.int64]
    """By point key, the highest number of a record that held a sample of it."""
    stream: int = -1
    expected: int = 0
    """The number of the stream's next frame."""
    asked_s: float = 0.0


class Receiver:
    """All gateways of a site, as one source of deliveries."""

    def __init__(
        self,
        *,
        address: BusAddress,
        topics: Topics,
        facility: Facility,
        configuration: bytes,
        deliver: Callable[[Delivery], None],
    ) -> None:
        """Prepare; nothing connects before :meth:`run`.

        Args:
            address: Of the broker.
            topics: Of the bus.
            facility: From the engine's database.
            configuration: What gateways are to read (:mod:`gateway.bus.site`).
            deliver: Takes a delivery at once; safe from any thread.

        Raises:
            ConfigurationError: A certificate cannot be read.
        """
        self.statuses: dict[str, ConnectionStatus] = {
            connection: ConnectionStatus(connection_id=connection, detail="no gateway has reported it yet")
            for connection in facility.connections
        }
        """Live figures by connection id, as gateways last reported them."""
        self.gateways: dict[str, GatewayStatus] = {}
        """Live figures of the gateways that ever reported, by id."""
        self.spools: dict[str, GatewayStatus] = {}
        """The same by name of their spool, as a queue that samples wait in."""
        self.repeats = 0
        """Frames that had come before and were left out."""
        self.gaps = 0
        """Streams asked for again because a frame was missing."""
        self._reported_by: dict[str, str] = {}
        """Connection id to the gateway that last reported it."""
        self._topics = topics
        self._configuration = configuration
        self._deliver = deliver
        self._points = max(facility.points, default=0) + 2
        self._spools: dict[str, _Spool] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_telling = False
        self._is_lost = False
        self._connection_of = {asset.id: asset.connection_id for asset in facility.assets.values()}
        self._caller = Caller(self._send_call)
        subscriptions = [topics.of_gateway("+", name) for name in (*(lane.label for lane in Lane), REPORT, ANSWER)]
        self._client = BusClient(
            address,
            client_id=f"{topics.prefix}-engine",
            subscriptions=subscriptions,
            last_will=topics.engine,
            listener=self,
        )

    async def run(self) -> None:
        """Take frames until cancelled."""
        self._loop = asyncio.get_running_loop()
        await self._client.run()

    def configure(self, configuration: bytes) -> None:
        """Have gateways read by another configuration of the same points; from any thread."""
        self._configuration = configuration
        self._client.publish(self._topics.configuration, configuration, retain=True)

    async def write(self, write: PointWrite) -> None:
        """Have the point's gateway write; see :meth:`gateway.drivers.driver.Driver.write`.

        Raises:
            DeviceUnreachableError: Gateway or device did not answer in time.
            DeviceRefusedError: The device said no, or its gateway does not write the point.
        """
        await self._caller.write(self._gateway_of(write.point), write)

    async def read(self, point: Point) -> Sample:
        """Have the point's gateway read; see :meth:`gateway.drivers.driver.Driver.read`.

        Raises:
            DeviceUnreachableError: Gateway or device did not answer in time.
            DeviceRefusedError: The device said no.
        """
        return await self._caller.read(self._gateway_of(point), point)

    def on_up(self) -> None:
        """Say who takes the frames, which makes every gateway send again what is not acknowledged."""
        self._client.publish(self._topics.configuration, self._configuration, retain=True)
        self._client.publish(self._topics.engine, secrets.token_hex(8).encode(), retain=True)
        if self._is_lost:
            log.info("bus is back")
        self._is_lost = False

    def on_lost(self, reason: str) -> None:
        """Nothing comes until the broker is back; gateways keep it."""
        if not self._is_lost:
            log.warning("bus lost; gateways keep what they read until it is back", reason=reason)
        self._is_lost = True
        for gateway in self.gateways.values():
            self._mark_absent(gateway, f"the engine has no connection to the bus: {reason}")

    def on_message(self, topic: str, payload: bytes) -> None:
        """Take a frame or a report."""
        gateway_id, name = self._topics.parsed(topic)
        try:
            if name == REPORT:
                self._on_report(gateway_id, payload)
            elif name == ANSWER:
                self._on_answer(payload)
            else:
                self._on_frame(gateway_id, frame.decode(payload))
        except WatchkeeperError as error:
            log.error("message on the bus not understood", topic=topic, reason=str(error))  # noqa: TRY400  # says all

    def _gateway_of(self, point: Point) -> str:
        gateway_id = self._reported_by.get(self._connection_of.get(point.asset_id, ""))
        if gateway_id is None:
            raise GatewayAwayError(point.address, "no gateway has reported that it reads the device")
        gateway = self.gateways[gateway_id]
        if not gateway.is_present:
            raise GatewayAwayError(point.address, f"gateway {gateway_id}: {gateway.detail}")
        return gateway_id

    def _send_call(self, gateway_id: str, payload: bytes) -> bool:
        return self._client.publish(self._topics.of_gateway(gateway_id, CALL), payload)

    def _on_answer(self, payload: bytes) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._caller.answered, Answer.model_validate_json(payload))

    def _on_frame(self, gateway_id: str, came: frame.Frame) -> None:
        spool = self._spool_of(gateway_id, came.spool)
        if came.stream != spool.stream and came.number == 0:
            spool.stream, spool.expected = came.stream, 0
        if came.stream != spool.stream or came.number != spool.expected:
            self._ask_again(gateway_id, spool, came)
            return
        spool.expected += 1
        with self._lock:
            spool.done.forget_below(came.base)
            is_done = came.seq in spool.done
        spool.received.forget_below(came.base)
        if is_done:
            self._committed(spool, came.seq)  # said before, and lost on the way
        if came.seq in spool.received:
            self.repeats += 1
            return
        delivery = self._delivery(gateway_id, spool, came)
        spool.received.add(came.seq)
        self._deliver(delivery)

    def _delivery(self, gateway_id: str, spool: _Spool, came: frame.Frame) -> Delivery:
        batch, events = body.decode(came.body)
        if came.is_buffered:
            good = batch.quality < UNCERTAIN_FROM
            batch.quality[good] = Quality.UNCERTAIN_BUFFERED
        batch, late = self._overtaken(spool, came, batch)
        return Delivery(
            connection_id=gateway_id,
            batch=batch,
            events=events,
            late=late,
            acknowledge=partial(self._committed, spool, came.seq),
        )

    def _overtaken(
        self, spool: _Spool, came: frame.Frame, batch: SampleBatch
    ) -> tuple[SampleBatch, SampleBatch | None]:
        """Part a batch into what says something about now and what newer samples have overtaken.

        Changes of state come in order and are never overtaken: rules see all of them.
        """
        places = np.where((batch.point >= 0) & (batch.point < self._points - 1), batch.point, -1)
        is_late = spool.newest[places] > came.seq
        is_late[places == -1] = False
        spool.newest[places] = np.maximum(spool.newest[places], came.seq)
        if came.lane is not Lane.TELEMETRY or not is_late.any():
            return batch, None
        return batch.where(~is_late), batch.where(is_late)

    def _spool_of(self, gateway_id: str, identity: int) -> _Spool:
        known = self._spools.get(gateway_id)
        if known is None or known.identity != identity:
            known = self._spools[gateway_id] = _Spool(identity=identity, newest=np.zeros(self._points, np.int64))
        return known

    def _ask_again(self, gateway_id: str, spool: _Spool, came: frame.Frame) -> None:
        now_s = time.monotonic()
        if now_s - spool.asked_s < ASK_AGAIN_S:
            return
        spool.asked_s = now_s
        self.gaps += 1
        self._client.publish(self._topics.of_gateway(gateway_id, AGAIN), orjson.dumps({"stream": came.stream}))

    def _committed(self, spool: _Spool, seq: int) -> None:
        """Note that a record is safe here; from any thread."""
        with self._lock:
            spool.done.add(seq)
            spool.unsaid.add(seq)
            if self._is_telling or self._loop is None:
                return
            self._is_telling = True
        self._loop.call_soon_threadsafe(self._tell_gateways)

    def _tell_gateways(self) -> None:
        """Acknowledge everything that was committed since the last time."""
        with self._lock:
            self._is_telling = False
            unsaid = [
                (gateway_id, spool.identity, spool.unsaid.take_all()) for gateway_id, spool in self._spools.items()
            ]
        for gateway_id, identity, done in unsaid:
            if done:
                payload = orjson.dumps({"spool": identity, "done": [list(interval) for interval in done]})
                self._client.publish(self._topics.of_gateway(gateway_id, ACKNOWLEDGED), payload)

    def _on_report(self, gateway_id: str, payload: bytes) -> None:
        if not payload:
            gone = self.gateways.get(gateway_id, GatewayStatus(gateway_id=gateway_id))
            self._show(gone)
            self._mark_absent(gone, "it is not connected to the bus; what it reads waits in its spool")
            return
        said = report.decode(payload)
        self._show(said.gateway)
        for connection in said.connections:
            if connection.connection_id in self.statuses:
                self.statuses[connection.connection_id] = connection
                self._reported_by[connection.connection_id] = gateway_id

    def _show(self, gateway: GatewayStatus) -> None:
        self.gateways[gateway.gateway_id] = self.spools[f"spool {gateway.gateway_id}"] = gateway

    def _mark_absent(self, gateway: GatewayStatus, reason: str) -> None:
        gateway.is_present, gateway.detail = False, reason
        for connection_id, reporter in self._reported_by.items():
            if reporter == gateway.gateway_id:
                status = self.statuses[connection_id]
                status.state = ConnectionState.DOWN
                status.detail = f"gateway {gateway.gateway_id}: {reason}"
