"""The gateway's side of the bus: frames and reports out; acknowledgements and the configuration in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.bus import report
from gateway.bus.calls import Answer, Call
from gateway.bus.client import BusAddress, BusClient
from gateway.bus.topics import ACKNOWLEDGED, AGAIN, ANSWER, CALL, REPORT, Topics
from gateway.spool.intervals import Interval
from gateway.spool.lanes import Lane

log = structlog.get_logger(__name__)


class Hearer(Protocol):
    """Who hears the engine; every method is called in the network thread."""

    def on_up(self) -> None:
        """The bus is there."""
        ...

    def on_lost(self) -> None:
        """The bus is away; may be called again while it stays away."""
        ...

    def on_engine(self, engine: str) -> None:
        """Who takes the frames; empty for nobody."""
        ...

    def on_again(self, stream: int) -> None:
        """The engine misses a part of a stream."""
        ...

    def on_acknowledged(self, spool: int, done: list[Interval]) -> None:
        """The engine has committed records."""
        ...


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Acknowledged(_Message):
    spool: int
    done: list[Interval]


class _Again(_Message):
    stream: int


class Link:
    """A gateway's connection to the bus."""

    def __init__(
        self,
        address: BusAddress,
        topics: Topics,
        gateway_id: str,
        *,
        on_configuration: Callable[[bytes], None],
        on_call: Callable[[Call], None],
    ) -> None:
        """Prepare; nothing connects before :meth:`run`.

        Args:
            address: Of the broker.
            topics: Of the bus.
            gateway_id: Unique on the bus.
            on_configuration: Told what to read, with every connection anew; called in the network thread.
            on_call: Told what to write or read now; called in the network thread.

        Raises:
            ConfigurationError: A certificate cannot be read.
        """
        self._topics = topics
        self._gateway_id = gateway_id
        self._hearer: Hearer | None = None
        self._on_configuration = on_configuration
        self._on_call = on_call
        self._is_lost = False
        self._frame_topics: Final = {lane: topics.frames(gateway_id, lane) for lane in Lane}
        self._acknowledged = topics.of_gateway(gateway_id, ACKNOWLEDGED)
        self._again = topics.of_gateway(gateway_id, AGAIN)
        self._report = topics.of_gateway(gateway_id, REPORT)
        self._call = topics.of_gateway(gateway_id, CALL)
        self._answer = topics.of_gateway(gateway_id, ANSWER)
        self._client = BusClient(
            address,
            client_id=f"{topics.prefix}-gateway-{gateway_id}",
            subscriptions=[topics.engine, topics.configuration, self._acknowledged, self._again, self._call],
            last_will=self._report,
            listener=self,
        )

    async def run(self, hearer: Hearer) -> None:
        """Be connected until cancelled."""
        self._hearer = hearer
        await self._client.run()

    def send(self, lane: Lane, payload: bytes) -> bool:
        """Send a frame now, from any thread; false when the bus is away."""
        return self._client.publish(self._frame_topics[lane], payload)

    def report(self, said: report.Report) -> bool:
        """Say how the gateway is; false when the bus is away."""
        return self._client.publish(self._report, report.encode(said), retain=True)

    def answer(self, said: Answer) -> bool:
        """Say what became of a call; false when the bus is away."""
        return self._client.publish(self._answer, said.model_dump_json().encode())

    def on_up(self) -> None:
        """Every connection is a new beginning: what was under way may be lost."""
        if self._is_lost:
            log.info("bus is back")
        self._is_lost = False
        if self._hearer is not None:
            self._hearer.on_up()

    def on_lost(self, reason: str) -> None:
        """What is read waits in the spool."""
        if not self._is_lost:
            log.warning("bus lost; what is read waits in the spool until it is back", reason=reason)
        self._is_lost = True
        if self._hearer is not None:
            self._hearer.on_lost()

    def on_message(self, topic: str, payload: bytes) -> None:
        """Take a message of the engine."""
        try:
            self._dispatch(topic, payload)
        except ValidationError as error:
            log.error("message on the bus not understood", topic=topic, reason=str(error))  # noqa: TRY400  # says all

    def _dispatch(self, topic: str, payload: bytes) -> None:
        if self._hearer is None:
            return
        if topic == self._topics.engine:
            self._hearer.on_engine(payload.decode("ascii", "replace"))
        elif topic == self._acknowledged:
            said = _Acknowledged.model_validate_json(payload)
            self._hearer.on_acknowledged(said.spool, said.done)
        elif topic == self._again:
            self._hearer.on_again(_Again.model_validate_json(payload).stream)
        elif topic == self._call:
            self._on_call(Call.model_validate_json(payload))
        elif topic == self._topics.configuration and payload:
            self._on_configuration(payload)
