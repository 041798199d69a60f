"""Requests and answers as every transport carries them: function code and data, without address and checksum.

Pure. The layouts are those of "MODBUS Application Protocol Specification V1.1b3", chapter 6.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final


class Function(IntEnum):
    """The function codes that this driver speaks."""

    READ_COILS = 1
    READ_DISCRETE_INPUTS = 2
    READ_HOLDING_REGISTERS = 3
    READ_INPUT_REGISTERS = 4
    WRITE_COIL = 5
    WRITE_REGISTER = 6
    WRITE_COILS = 15
    WRITE_REGISTERS = 16
    MASK_WRITE_REGISTER = 22
    READ_WRITE_REGISTERS = 23


BIT_FUNCTIONS: Final = frozenset({Function.READ_COILS, Function.READ_DISCRETE_INPUTS})
"""Functions that read single bits, each with an address of its own."""

MAX_BITS: Final = 2000
"""Bits that one request may read."""

NONSENSE: Final = 0
"""Stands where an exception code would: the answer does not fit its request. Modbus has no exception 0."""

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
UNIT_SILENT: Final = frozenset({10, 11})
"""Exceptions by which a gateway says that the unit behind it did not answer."""

EXCEPTION_NAMES: Final = {
    NONSENSE: "an answer that does not fit the request",
    ILLEGAL_FUNCTION: "illegal function",
    ILLEGAL_ADDRESS: "illegal data address",
    ILLEGAL_VALUE: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}

_EXCEPTION: Final = 0x80
_COIL_ON: Final = 0xFF00
_HEAD: Final = struct.Struct(">BHH")
_READS: Final = frozenset(
    {
        Function.READ_COILS,
        Function.READ_DISCRETE_INPUTS,
        Function.READ_HOLDING_REGISTERS,
        Function.READ_INPUT_REGISTERS,
        Function.READ_WRITE_REGISTERS,
    }
)
_ECHOES: Final = frozenset({Function.WRITE_COIL, Function.WRITE_REGISTER, Function.MASK_WRITE_REGISTER})
"""Writes that are confirmed by the request itself; the others are by its first five bytes."""


def read(function: int, start: int, count: int) -> bytes:
    """Return a request for coils, discrete inputs or registers."""
    return _HEAD.pack(function, start, count)


def write_coil(address: int, *, on: bool) -> bytes:
    """Return a request that switches one coil."""
    return _HEAD.pack(Function.WRITE_COIL, address, _COIL_ON if on else 0)


def write_coils(start: int, states: Sequence[bool]) -> bytes:
    """Return a request that switches coils in a row."""
    bits = sum(1 << place for place, state in enumerate(states) if state)
    data = bits.to_bytes((len(states) + 7) // 8, "little")
    return _HEAD.pack(Function.WRITE_COILS, start, len(states)) + bytes([len(data)]) + data


def write_register(address: int, value: int) -> bytes:
    """Return a request that sets one register."""
    return _HEAD.pack(Function.WRITE_REGISTER, address, value)


def write_registers(start: int, values: Sequence[int]) -> bytes:
    """Return a request that sets registers in a row."""
    data = _packed(values)
    return _HEAD.pack(Function.WRITE_REGISTERS, start, len(values)) + bytes([len(data)]) + data


def mask_write_register(address: int, *, kept: int, new: int) -> bytes:
    """Return a request that keeps the bits ``kept`` of a register as they are and gives the others those of ``new``."""
    return struct.pack(">BHHH", Function.MASK_WRITE_REGISTER, address, kept, new & ~kept)


def read_write_registers(start: int, values: Sequence[int]) -> bytes:
    """Return a request that sets registers in a row and then reads the same ones."""
    data = _packed(values)
    head = struct.pack(">BHHHH", Function.READ_WRITE_REGISTERS, start, len(values), start, len(values))
    return head + bytes([len(data)]) + data


def data_of(request: bytes, answer: bytes) -> bytes | int:
    """Return what an answer brings: data of the length asked for (none for a write), or an exception code.

    A device may answer with more or fewer registers than asked for, or with another function: ``NONSENSE``.
    """
    if len(answer) > 1 and answer[0] == request[0] | _EXCEPTION:
        return answer[1]
    if answer[:1] != request[:1]:
        return NONSENSE
    if request[0] in _READS:
        size = read_size(request)
        return answer[2:] if len(answer) == size + 2 and answer[1] == size else NONSENSE
    confirmed = len(request) if request[0] in _ECHOES else _HEAD.size
    return b"" if answer == request[:confirmed] else NONSENSE


def read_size(request: bytes) -> int:
    """Return how many bytes of data the answer to a request for data must have."""
    function = request[0]
    count: int = _HEAD.unpack_from(request)[2]
    return (count + 7) // 8 if function in BIT_FUNCTIONS else 2 * count


def answer_size(request: bytes) -> int:
    """Return how long the answer to a request is when the device does as told, in bytes."""
    if request[0] in _READS:
        return read_size(request) + 2
    return len(request) if request[0] in _ECHOES else _HEAD.size


def describe(code: int) -> str:
    """Return an exception code in people's words."""
    name = EXCEPTION_NAMES.get(code, "a code that the specification does not have")
    return f"Modbus exception {code}, {name}" if code else name


def _packed(registers: Sequence[int]) -> bytes:
    return struct.pack(f">{len(registers)}H", *registers)
