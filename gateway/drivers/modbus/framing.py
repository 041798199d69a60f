"""How the three kinds of Modbus wire wrap a request, and how the answer to it is found among what arrives.

Pure: a framing is a pair of functions over bytes, so that every broken frame can be tried without a device. What
arrives is searched as a whole for the one answer that fits; all else (an answer to an earlier request that came too
late, noise before a frame, another unit's) is passed over.

Sources: "MODBUS Messaging on TCP/IP Implementation Guide V1.0b", "MODBUS over Serial Line V1.02".
"""

from __future__ import annotations

import struct
from binascii import Error as NotHexadecimal
from binascii import unhexlify
from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.drivers.modbus.pdu import Function


class Asked(NamedTuple):
    """What an answer must fit."""

    transaction: int
    """0 to 65535; the serial framings have none, there it means nothing."""
    unit: int
    function: int


class Framing(NamedTuple):
    """One kind of wire."""

    name: str
    wrap: Callable[[Asked, bytes], bytes]
    """Returns the bytes to send for a request."""
    find: Callable[[bytes, Asked], bytes | None]
    """Returns the answer's function and data, or ``None`` while it is not there."""
    characters_per_byte: int
    """Characters on the wire for a byte of the request."""
    overhead: int
    """Characters around function and data."""


_MBAP: Final = struct.Struct(">HHHB")
_MODBUS_PROTOCOL: Final = 0
_EXCEPTION: Final = 0x80
_CRC_BYTES: Final = 2
_COUNTED: Final = frozenset(
    {
        Function.READ_COILS,
        Function.READ_DISCRETE_INPUTS,
        Function.READ_HOLDING_REGISTERS,
        Function.READ_INPUT_REGISTERS,
        Function.READ_WRITE_REGISTERS,
    }
)
"""Functions whose answers say their own length in the byte behind the function."""
_EXCEPTION_SIZE: Final = 5
_ECHO_SIZE: Final = 8
_MASK_SIZE: Final = 10


def _wrap_tcp(asked: Asked, pdu: bytes) -> bytes:
    return _MBAP.pack(asked.transaction, _MODBUS_PROTOCOL, len(pdu) + 1, asked.unit) + pdu


def _find_tcp(arrived: bytes, asked: Asked) -> bytes | None:
    """Walk from header to header; where one is no Modbus header, the stream has lost its frames."""
    at = 0
    while at + _MBAP.size < len(arrived):
        transaction, protocol, length, unit = _MBAP.unpack_from(arrived, at)
        if protocol != _MODBUS_PROTOCOL:
            return None
        start, at = at + _MBAP.size, at + _MBAP.size - 1 + max(1, length)
        if at > len(arrived):
            return None
        if (transaction, unit) == (asked.transaction, asked.unit) and start < at:
            return arrived[start:at]
    return None


def _wrap_rtu(asked: Asked, pdu: bytes) -> bytes:
    frame = bytes([asked.unit]) + pdu
    return frame + crc16(frame)


def _find_rtu(arrived: bytes, asked: Asked) -> bytes | None:
    """Return the first frame of the right unit and function whose checksum holds; noise may stand before it."""
    for at in range(len(arrived) - _EXCEPTION_SIZE + 1):
        if arrived[at] == asked.unit and arrived[at + 1] & ~_EXCEPTION == asked.function:
            end = at + _rtu_size(arrived[at + 1], arrived[at + 2])
            frame = arrived[at : end - _CRC_BYTES]
            if end <= len(arrived) and arrived[end - _CRC_BYTES : end] == crc16(frame):
                return frame[1:]
    return None


def _rtu_size(function: int, count: int) -> int:
    """Return the length of an answer with unit and checksum, from its function and the byte behind it."""
    if function & _EXCEPTION:
        return _EXCEPTION_SIZE
    if function in _COUNTED:
        return _EXCEPTION_SIZE + count
    return _MASK_SIZE if function == Function.MASK_WRITE_REGISTER else _ECHO_SIZE


def _wrap_ascii(asked: Asked, pdu: bytes) -> bytes:
    frame = bytes([asked.unit]) + pdu
    return b":" + (frame + bytes([lrc(frame)])).hex().upper().encode() + b"\r\n"


def _find_ascii(arrived: bytes, asked: Asked) -> bytes | None:
    """Return the first whole line of the right unit and function whose checksum holds."""
    for line in arrived.split(b"\r\n")[:-1]:
        frame = _hexadecimal(line.rpartition(b":")[2])
        fits = frame[:1] == bytes([asked.unit]) and len(frame) > _CRC_BYTES
        if fits and frame[1] & ~_EXCEPTION == asked.function and lrc(frame[:-1]) == frame[-1]:
            return frame[1:-1]
    return None


def _hexadecimal(text: bytes) -> bytes:
    try:
        return unhexlify(text)
    except NotHexadecimal:
        return b""


def lrc(frame: bytes) -> int:
    """Return the checksum of Modbus ASCII: the two's complement of the sum (Serial Line V1.02, 2.5.2.2)."""
    return -sum(frame) & 0xFF


def crc16(frame: bytes) -> bytes:
    """Return the checksum of Modbus RTU, low byte first (polynomial 0xA001 reflected, Serial Line V1.02, 2.5.1.2)."""
    crc = 0xFFFF
    for byte in frame:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC_TABLE: Final = tuple(map(_table_entry, range(256)))

TCP: Final = Framing("tcp", _wrap_tcp, _find_tcp, characters_per_byte=1, overhead=_MBAP.size)
"""The MBAP header of Modbus TCP and of Modbus/TCP Security."""
RTU: Final = Framing("rtu", _wrap_rtu, _find_rtu, characters_per_byte=1, overhead=1 + _CRC_BYTES)
"""Unit and CRC, on serial lines and through terminal servers that pass the bytes on over TCP."""
ASCII: Final = Framing("ascii", _wrap_ascii, _find_ascii, characters_per_byte=2, overhead=7)
"""Hexadecimal lines from ``:`` to CR LF."""
