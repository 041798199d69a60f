"""One message on the bus: a spool's record, and what tells the engine that none is missing.

A gateway numbers the frames of a *stream* from 0. It begins a new stream whenever something may have been lost: when
either side reconnected, when the engine asks for it, when no acknowledgement came for long; and sends everything again
that is not acknowledged. So the engine takes frames of one stream in order and without a gap, or asks for a new one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from facility.errors import WatchkeeperError
from gateway.spool.lanes import Lane

VERSION: Final = 1
_HEAD: Final = struct.Struct("<2sBBBxxxQQQQQ")
_MARK: Final = b"WF"
_BUFFERED: Final = 1


class FrameError(WatchkeeperError):
    """A message on the bus is no frame of this version."""

    title = "Not a frame"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A record on its way."""

    lane: Lane
    spool: int
    """Identity of the spool that numbered it; a spool begun anew has another."""
    seq: int
    """The record's number in its spool: never used twice."""
    stream: int
    number: int
    """Place within the stream, from 0."""
    base: int
    """Smaller record numbers will not come again: all of them are acknowledged or dropped."""
    is_buffered: bool
    """Whether it lay in the spool for long."""
    body: bytes | memoryview


def encode(frame: Frame) -> bytes:
    """Return a frame as bytes."""
    flags = _BUFFERED if frame.is_buffered else 0
    head = _HEAD.pack(_MARK, VERSION, flags, frame.lane, frame.spool, frame.seq, frame.stream, frame.number, frame.base)
    return head + frame.body


def decode(payload: bytes | bytearray) -> Frame:
    """Return the frame that :func:`encode` was given.

    Raises:
        FrameError: It is none.
    """
    if len(payload) < _HEAD.size:
        raise FrameError(
            f"{len(payload)} bytes are no frame. Give Watchkeeper's topics on the bus to Watchkeeper alone."
        )
    mark, version, flags, lane, spool, seq, stream, number, base = _HEAD.unpack_from(payload)
    if mark != _MARK or version != VERSION or lane not in set(Lane):
        raise FrameError(
            f"A frame of version {version} with mark {mark!r} came, but this program knows version {VERSION} only. Run "
            "the same version of Watchkeeper on both sides."
        )
    return Frame(
        lane=Lane(lane),
        spool=spool,
        seq=seq,
        stream=stream,
        number=number,
        base=base,
        is_buffered=bool(flags & _BUFFERED),
        body=memoryview(payload)[_HEAD.size :],
    )
