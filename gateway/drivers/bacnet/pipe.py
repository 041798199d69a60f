"""What parent and child say to each other over a pair of pipes: pickled messages, each behind its length.

Both ends are this program on this machine, which is why pickle may be trusted here.
"""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import dataclass
from typing import Any, Final

from facility.model import Point
from facility.samples import Sample, SampleBatch
from gateway.drivers.driver import DriverConfig, PointWrite
from gateway.events import ConnectionStatus

MAX_OCTETS: Final = 64 * 1024 * 1024
"""No message is longer; a larger length means that somebody else wrote into the pipe."""

_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Start:
    """Parent: what to drive. ``deliver`` stays with the parent."""

    connection: Any
    devices: Any
    clock: Any

    @classmethod
    def of(cls, config: DriverConfig) -> Start:
        """Return what a child needs of a configuration."""
        return cls(config.connection, config.devices, config.clock)


@dataclass(frozen=True, slots=True)
class Asked:
    """Parent: do this and say what came of it."""

    number: int
    task: PointWrite | Point
    """A value to write, or a point to read."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Child: samples."""

    batch: SampleBatch


@dataclass(frozen=True, slots=True)
class Done:
    """Child: what came of a task."""

    number: int
    sample: Sample | None = None
    """Of a reading; ``None`` of a write."""
    error: str = ""
    """Why it failed; empty where it did not."""
    unreachable: bool = False
    """Whether it failed since nobody answered."""


@dataclass(frozen=True, slots=True)
class Told:
    """Child: a line for the log."""

    level: str
    event: dict[str, Any]


Message = Start | Asked | Delivered | Done | Told | ConnectionStatus


def packed(message: Message) -> bytes:
    """Return a message as the pipe carries it."""
    octets = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(octets).to_bytes(_LENGTH, "big") + octets


async def received(reader: asyncio.StreamReader) -> Message:
    """Return the next message.

    Raises:
        EOFError: The other end is gone.
    """
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
        if length > MAX_OCTETS:
            raise EOFError("the pipe carries something else")
        octets = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise EOFError("the other process is gone") from error
    message: Message = pickle.loads(octets)  # noqa: S301  # our own process wrote it
    return message
