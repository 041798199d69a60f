"""Registers to numbers and back: the bytes of a whole block are put in order at once, whatever its fields mix.

One gather brings every field's bytes together, most significant first and fields of a type side by side; then each type
is one view of them. So neither the number of fields nor their byte orders cost a step of Python each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gateway.bits import BitField

REGISTER_BYTES: Final = 2


class RegisterType(StrEnum):
    """How a value stands in its registers.

    A 64-bit whole number beyond 2**53 is rounded to the nearest that a float64 holds (one part in 10**16): a counter
    that large goes on counting, but no longer in ones.
    """

    BOOL = "bool"
    """A coil or discrete input."""
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BCD16 = "bcd16"
    """Four decimal digits, one in each half of a byte; half-bytes above 9 are no number."""
    BCD32 = "bcd32"
    """Eight decimal digits."""
    STRING = "string"
    """Text, one character a byte, up to the first NUL and without the spaces around it."""


class ByteOrder(StrEnum):
    """In which order the bytes of a number arrive, A being the most significant one, as device manuals write it.

    Of a 16-bit value only the order within the register counts: ``BADC`` and ``DCBA`` devices swap it.
    """

    ABCD = "ABCD"
    """As Modbus itself orders bytes, the most significant register first; also called ``big``."""
    CDAB = "CDAB"
    """The least significant register first; also called ``little``."""
    BADC = "BADC"
    """The most significant register first, bytes swapped within each."""
    DCBA = "DCBA"
    """Everything the other way round."""

    @classmethod
    def _missing_(cls, value: object) -> ByteOrder | None:
        return {"big": cls.ABCD, "little": cls.CDAB}.get(str(value))

    @property
    def swaps_words(self) -> bool:
        """Say whether the least significant register comes first."""
        return self in {ByteOrder.CDAB, ByteOrder.DCBA}

    @property
    def swaps_bytes(self) -> bool:
        """Say whether the least significant byte of a register comes first."""
        return self in {ByteOrder.BADC, ByteOrder.DCBA}


STRUCT_CODES: Final = {
    RegisterType.INT16: "h",
    RegisterType.UINT16: "H",
    RegisterType.INT32: "i",
    RegisterType.UINT32: "I",
    RegisterType.INT64: "q",
    RegisterType.UINT64: "Q",
    RegisterType.FLOAT32: "f",
    RegisterType.FLOAT64: "d",
    RegisterType.BCD16: "H",
    RegisterType.BCD32: "I",
}
FLOATS: Final = frozenset({RegisterType.FLOAT32, RegisterType.FLOAT64})
BCD_DIGITS: Final = {RegisterType.BCD16: 4, RegisterType.BCD32: 8}
UNSIGNED: Final = frozenset({RegisterType.UINT16, RegisterType.UINT32, RegisterType.UINT64})
"""The types whose bits may be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value within a block."""

    at: int
    """Registers from the block's first one; of coils and discrete inputs, bits."""
    type: RegisterType
    order: ByteOrder = ByteOrder.ABCD
    bits: BitField | None = None
    """The bits of an unsigned number that count; ``None``: the number itself."""
    length: int = 0
    """Registers of a string; the other types have a width of their own."""


class _View(NamedTuple):
    """The fields of one type, side by side in the gathered bytes."""

    where: slice
    dtype: np.dtype[np.generic]
    places: npt.NDArray[np.intp]
    finish: Callable[[npt.NDArray[np.generic]], npt.NDArray[np.generic]] | None
    """What the type needs beyond being looked at: bits, decimal digits."""


class BlockCodec:
    """Reads and writes the values of one block of registers."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self._texts = [(place, field) for place, field in enumerate(fields) if field.type is RegisterType.STRING]
        self._views: list[_View] = []
        gathered: list[int] = []
        for kind in STRUCT_CODES:
            chosen = [(place, field) for place, field in enumerate(fields) if field.type is kind]
            if chosen:
                start = len(gathered)
                gathered += [at for _, field in chosen for at in bytes_of(field)]
                self._views.append(_view(kind, chosen, slice(start, len(gathered))))
        self._gathered = np.array(gathered, np.intp)

    def decode(self, data: bytes) -> npt.NDArray[np.float64]:
        """Return the fields' values in order from a block's bytes; NaN for texts and for what is no number.

        Raises:
            IndexError: The answer is shorter than the block.
        """
        values = np.full(len(self._fields), np.nan)
        ordered = np.frombuffer(data, np.uint8)[self._gathered]
        for view in self._views:
            numbers = ordered[view.where].view(view.dtype)
            values[view.places] = numbers if view.finish is None else view.finish(numbers)
        return values

    def texts(self, data: bytes) -> list[tuple[int, str]]:
        """Return the place and the text of every string field."""
        return [(place, _text(bytes(data[at] for at in bytes_of(field)))) for place, field in self._texts]

    def encode(self, values: Sequence[float], registers: Sequence[int]) -> list[int]:
        """Return the registers with the fields' values written in, all others as they were; strings stay too.

        Raises:
            struct.error: A value does not fit its type.
            ValueError: A value does not fit its bits or digits.
        """
        block = bytearray(struct.pack(f">{len(registers)}H", *registers))
        for field, value in zip(self._fields, values, strict=True):
            if field.type is not RegisterType.STRING:
                places = bytes_of(field)
                encoded = _encoded(field, value, bytes(block[at] for at in places))
                for at, byte in zip(places, encoded, strict=True):
                    block[at] = byte
        return list(struct.unpack(f">{len(registers)}H", block))


class BitBlockCodec:
    """Reads the coils or discrete inputs of one block; the first one is the lowest bit of the first byte."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._places = np.array([field.at for field in fields], np.intp)

    def decode(self, data: bytes) -> npt.NDArray[np.float64]:
        """Return 0 or 1 for every field in order.

        Raises:
            IndexError: The answer is shorter than the block.
        """
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[self._places].astype(np.float64)

    def texts(self, data: bytes) -> list[tuple[int, str]]:  # noqa: ARG002  # stands beside BlockCodec's
        """Return nothing: bits hold no text."""
        return []


def width(register_type: RegisterType, length: int = 0) -> int:
    """Return how many registers a type takes, a string ``length``; a coil takes one address."""
    if register_type in STRUCT_CODES:
        return struct.calcsize(">" + STRUCT_CODES[register_type]) // REGISTER_BYTES
    return length if register_type is RegisterType.STRING else 1


def bytes_of(field: Field) -> list[int]:
    """Return where a field's bytes stand in its block, the most significant (of a string, the first) first."""
    words = list(range(field.at, field.at + width(field.type, field.length)))
    if field.order.swaps_words and field.type is not RegisterType.STRING:
        words.reverse()
    within = (1, 0) if field.order.swaps_bytes else (0, 1)
    return [REGISTER_BYTES * word + byte for word in words for byte in within]


def _view(kind: RegisterType, chosen: Sequence[tuple[int, Field]], where: slice) -> _View:
    fields = [field for _, field in chosen]
    places = np.array([place for place, _ in chosen], np.intp)
    return _View(where, np.dtype(">" + STRUCT_CODES[kind]), places, _finish(kind, fields))


def _finish(
    kind: RegisterType, fields: Sequence[Field]
) -> Callable[[npt.NDArray[np.generic]], npt.NDArray[np.generic]] | None:
    if kind in BCD_DIGITS:
        digits = BCD_DIGITS[kind]
        return lambda numbers: _decimal(numbers.astype(np.uint32), digits)
    if all(field.bits is None for field in fields):
        return None
    everything = BitField(0, 8 * REGISTER_BYTES * width(kind) - 1)
    chosen = [field.bits or everything for field in fields]
    shift, mask = (
        np.array([bits.low for bits in chosen], np.uint64),
        np.array([bits.mask for bits in chosen], np.uint64),
    )
    return lambda numbers: numbers.astype(np.uint64) >> shift & mask


def _decimal(numbers: npt.NDArray[np.uint32], digits: int) -> npt.NDArray[np.float64]:
    """Return what half-bytes say as decimal digits; NaN where one is above 9."""
    places = np.arange(digits, dtype=np.uint32)
    halves = numbers[:, None] >> 4 * places & 0xF
    values = halves @ 10.0**places
    values[(halves > 9).any(axis=1)] = np.nan  # noqa: PLR2004  # the highest decimal digit
    return np.asarray(values, np.float64)


def _encoded(field: Field, value: float, old: bytes) -> bytes:
    """Return a value's bytes, the most significant first."""
    code = ">" + STRUCT_CODES[field.type]
    if field.type in FLOATS:
        return struct.pack(code, value)
    number = round(value)
    if field.bits is not None:
        number = field.bits.put(int.from_bytes(old), number)
    elif field.type in BCD_DIGITS:
        number = _bcd(number, BCD_DIGITS[field.type])
    return struct.pack(code, number)


def _bcd(number: int, digits: int) -> int:
    if not 0 <= number < 10**digits:
        raise ValueError(f"{number} does not fit {digits} decimal digits; write 0 to {10**digits - 1}")
    return int(str(number), 16)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("ascii", "replace").strip()
