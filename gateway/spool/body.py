"""Samples and events as bytes: the body of a spool's record and of a message on the bus.

Little-endian::

    2  b"WK"          1  version        1  reserved, 0
    4  samples        4  CRC-32 of the samples' number and all that follows
    .. deflated: the columns one after the other (point int32, source and gateway time int64 ns, value float64,
       quality uint8), then the events as JSON: [[point, source ns, gateway ns, code, id, text], …]

Columns one after the other, since equal bytes stand together and deflate well: a sample takes about 10 bytes of 29.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import orjson
from pydantic import TypeAdapter, ValidationError

from facility.errors import WatchkeeperError
from facility.samples import SampleBatch
from gateway.events import DeviceEvent

VERSION: Final = 1
MAX_SAMPLES: Final = 100_000
"""Samples that a body may claim to hold, so that a broken one cannot ask for all memory."""

_HEAD: Final = struct.Struct("<2sBxII")
_MARK: Final = b"WK"
_COLUMNS: Final = (
    ("point", np.dtype("<i4")),
    ("source_time_ns", np.dtype("<i8")),
    ("gateway_time_ns", np.dtype("<i8")),
    ("value", np.dtype("<f8")),
    ("quality", np.dtype("u1")),
)
_SAMPLE_SIZE: Final = sum(dtype.itemsize for _, dtype in _COLUMNS)
_MAX_EVENTS_SIZE: Final = 16_000_000
_LEVEL: Final = 1  # the fastest; the higher ones win a few per cent and cost several times as much

_Event = tuple[int, int, int, int, str, dict[str, str]]
_EVENTS: Final = TypeAdapter(list[_Event])


class BodyError(WatchkeeperError):
    """The bytes are no body of samples, or not the ones that were written."""

    title = "Damaged samples"


def encode(batch: SampleBatch, events: Sequence[DeviceEvent] = ()) -> bytes:
    """Return samples and events as bytes."""
    columns = [np.ascontiguousarray(getattr(batch, name), dtype).tobytes() for name, dtype in _COLUMNS]
    packed = zlib.compress(b"".join([*columns, _events_text(events)]), _LEVEL)
    return _HEAD.pack(_MARK, VERSION, len(batch), _checksum(len(batch), packed)) + packed


def decode(body: bytes | bytearray | memoryview) -> tuple[SampleBatch, tuple[DeviceEvent, ...]]:
    """Return what :func:`encode` was given.

    Raises:
        BodyError: The bytes are damaged, or another version wrote them.
    """
    count, packed = _checked(body)
    content = _inflated(packed, count)
    return SampleBatch(**dict(_columns(content, count))), _events(content[count * _SAMPLE_SIZE :])


def check(body: bytes | bytearray | memoryview) -> None:
    """Refuse a body that is damaged; costs a fraction of :func:`decode`.

    Raises:
        BodyError: The bytes are damaged, or another version wrote them.
    """
    _checked(body)


def _events_text(events: Sequence[DeviceEvent]) -> bytes:
    if not events:
        return b""
    rows = [
        (e.point, e.source_time_ns, e.gateway_time_ns, e.code, _encodable(e.event_id), _encodable_all(e.text))
        for e in events
    ]
    return orjson.dumps(rows)


def _encodable_all(text: Mapping[str, str]) -> dict[str, str]:
    return {_encodable(name): _encodable(said) for name, said in text.items()}


def _encodable(text: str) -> str:
    """Replace half character pairs, which some device may send and no encoding can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _checked(body: bytes | bytearray | memoryview) -> tuple[int, memoryview]:
    """Return the number of samples and the deflated rest."""
    if len(body) < _HEAD.size:
        raise BodyError(
            f"{len(body)} bytes are too few for samples. Look at the disk and the network that brought them."
        )
    mark, version, count, checksum = _HEAD.unpack_from(body)
    if mark != _MARK or version != VERSION:
        raise BodyError(
            f"Samples of version {version} with mark {mark!r} came, but this program knows version {VERSION} only. Run "
            "the same version of Watchkeeper on both sides."
        )
    packed = memoryview(body)[_HEAD.size :]
    if count > MAX_SAMPLES or _checksum(count, packed) != checksum:
        raise BodyError("Samples do not fit their checksum. Look at the disk and the memory that held them.")
    return count, packed


def _checksum(count: int, packed: bytes | memoryview) -> int:
    return zlib.crc32(packed, zlib.crc32(count.to_bytes(4, "little")))


def _inflated(packed: memoryview, count: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(packed, count * _SAMPLE_SIZE + _MAX_EVENTS_SIZE)
    except zlib.error as error:
        raise BodyError(f"Samples cannot be unpacked: {error}. Update the program that wrote them.") from error
    if not inflater.eof or len(content) < count * _SAMPLE_SIZE:
        raise BodyError("Samples have another size than they say. Update the program that wrote them.")
    return content


def _columns(content: bytes, count: int) -> Iterator[tuple[str, np.ndarray]]:
    offset = 0
    for name, dtype in _COLUMNS:
        # Copied, since columns of an odd number of samples do not begin where a processor wants them to.
        yield name, np.frombuffer(content, dtype, count, offset).astype(dtype.newbyteorder("="))
        offset += count * dtype.itemsize


def _events(text: bytes) -> tuple[DeviceEvent, ...]:
    if not text:
        return ()
    try:
        rows = _EVENTS.validate_json(text)
    except ValidationError as error:
        raise BodyError(f"Events cannot be read: {error}. Update the program that wrote them.") from error
    return tuple(
        DeviceEvent(point=point, source_time_ns=source, gateway_time_ns=gateway, code=code, event_id=name, text=said)
        for point, source, gateway, code, name, said in rows
    )
