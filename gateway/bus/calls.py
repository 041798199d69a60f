"""Writes and reads of single points across the bus: the engine calls, the gateway that has the device answers.

A call is sent once and never kept: one without an answer in time failed, and whoever asked decides what comes of it.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from facility.errors import DeviceRefusedError, DeviceUnreachableError, NotFoundError, WatchkeeperError
from facility.model import Point
from facility.quality import Quality
from facility.samples import Sample
from gateway.drivers.driver import PointWrite

ANSWER_S: Final = 9.0
"""Wall seconds to wait for a gateway's answer; less than a command waits for its device."""


class GatewayAwayError(DeviceUnreachableError):
    """No gateway that reads the device answered."""

    def __init__(self, point: str, reason: str) -> None:
        WatchkeeperError.__init__(self, f"{point} is out of reach: {reason}. Look at its gateway on the status page.")


class FarDeviceUnreachableError(DeviceUnreachableError):
    """A gateway could not reach the device; the message is its own."""

    def __init__(self, message: str) -> None:
        WatchkeeperError.__init__(self, message)


class FarDeviceRefusedError(DeviceRefusedError):
    """The device, or the gateway on its behalf, said no; the message is the gateway's."""

    def __init__(self, message: str) -> None:
        WatchkeeperError.__init__(self, message)


class Devices(Protocol):
    """Whoever reaches devices, such as :class:`gateway.gateway.Gateway`."""

    async def write(self, write: PointWrite) -> None:
        """Write to the point's device."""
        ...

    async def read(self, point: Point) -> Sample:
        """Read the point anew."""
        ...


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Call(_Message):
    """What the engine wants of a point."""

    id: int
    kind: Literal["write", "read"]
    point: int
    value: float | None = None
    """To write; ``None`` takes an earlier write back."""
    priority: int = 16


class Answer(_Message):
    """What became of a call."""

    id: int
    outcome: Literal["done", "refused", "unreachable"]
    detail: str = ""
    """Why not, in words; empty when it is done."""
    source_time_ns: int = 0
    gateway_time_ns: int = 0
    value: float | None = None
    """Read; ``None`` for none."""
    quality: int = 0


class Caller:
    """The engine's side: calls that wait for their answer. Used on one event loop."""

    def __init__(self, send: Callable[[str, bytes], bool]) -> None:
        """Begin without calls.

        Args:
            send: Sends a payload to a gateway now; false when the bus is away.
        """
        self._send = send
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    async def write(self, gateway_id: str, write: PointWrite) -> None:
        """Have a gateway write; see :meth:`gateway.drivers.driver.Driver.write`."""
        await self._call(gateway_id, write.point, kind="write", value=write.value, priority=write.priority)

    async def read(self, gateway_id: str, point: Point) -> Sample:
        """Have a gateway read; see :meth:`gateway.drivers.driver.Driver.read`."""
        said = await self._call(gateway_id, point, kind="read")
        value = math.nan if said.value is None else said.value
        return Sample(point.key, said.source_time_ns, said.gateway_time_ns, value, Quality(said.quality))

    def answered(self, answer: Answer) -> None:
        """Take an answer; one that nobody waits for any more is left alone."""
        waiting = self._waiting.get(answer.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def _call(
        self,
        gateway_id: str,
        point: Point,
        *,
        kind: Literal["write", "read"],
        value: float | None = None,
        priority: int = 16,
    ) -> Answer:
        call = Call(id=next(self._ids), kind=kind, point=point.key, value=value, priority=priority)
        waiting = self._waiting[call.id] = asyncio.get_running_loop().create_future()
        try:
            if not self._send(gateway_id, call.model_dump_json().encode()):
                raise GatewayAwayError(point.address, "the engine has no connection to the bus")
            async with asyncio.timeout(ANSWER_S):
                answer: Answer = await waiting
        except TimeoutError:
            raise GatewayAwayError(point.address, f"gateway {gateway_id} did not answer in {ANSWER_S:g} s") from None
        finally:
            del self._waiting[call.id]
        if answer.outcome == "unreachable":
            raise FarDeviceUnreachableError(answer.detail)
        if answer.outcome == "refused":
            raise FarDeviceRefusedError(answer.detail)
        return answer


async def carried_out(call: Call, devices: Devices, point: Point | None, *, writable: bool) -> Answer:
    """Do what a call wants of a device here, and return what became of it.

    Args:
        call: The engine's.
        devices: Who reaches devices.
        point: The call's point; ``None`` when this gateway does not read it.
        writable: Whether site and profile let people command it.
    """
    if point is None:
        return Answer(
            id=call.id, outcome="refused", detail=f"This gateway reads no point {call.point}. Import the site again."
        )
    if call.kind == "write" and not writable:
        return Answer(
            id=call.id,
            outcome="refused",
            detail=f"{point.address} may not be written. Name it under 'commands' of its asset.",
        )
    try:
        if call.kind == "write":
            await devices.write(PointWrite(point=point, value=call.value, priority=call.priority))
            return Answer(id=call.id, outcome="done")
        sample = await devices.read(point)
    except DeviceUnreachableError as error:
        return Answer(id=call.id, outcome="unreachable", detail=str(error))
    except (DeviceRefusedError, NotFoundError) as error:
        return Answer(id=call.id, outcome="refused", detail=str(error))
    return Answer(
        id=call.id,
        outcome="done",
        source_time_ns=sample.source_time_ns,
        gateway_time_ns=sample.gateway_time_ns,
        value=sample.value if math.isfinite(sample.value) else None,
        quality=sample.quality,
    )
