"""Registers to numbers and back: one ``struct.unpack`` for a whole block, whatever types and word orders it mixes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

REGISTER_BYTES: Final = 2


class RegisterType(StrEnum):
    """How a value stands in its registers; bytes within a register are big-endian, as Modbus fixes."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    FLOAT32 = "float32"
    FLOAT64 = "float64"


class WordOrder(StrEnum):
    """Which of a value's registers comes first."""

    BIG = "big"
    """The most significant one."""
    LITTLE = "little"
    """The least significant one."""


STRUCT_CODES: Final = {
    RegisterType.INT16: "h",
    RegisterType.UINT16: "H",
    RegisterType.INT32: "i",
    RegisterType.UINT32: "I",
    RegisterType.FLOAT32: "f",
    RegisterType.FLOAT64: "d",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value within a block."""

    at: int
    """Registers from the block's first one."""
    type: RegisterType
    word_order: WordOrder = WordOrder.BIG
    bit: int | None = None
    """The one bit of an integer that counts, 0 the least significant; ``None``: the number itself."""


class BlockCodec:
    """Reads and writes the values of one block."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self._words = [word for field in fields for word in words_of(field)]
        self._registers = struct.Struct(f">{len(self._words)}H")
        self._values = struct.Struct(">" + "".join(STRUCT_CODES[field.type] for field in fields))
        self._bits = [(place, field.bit) for place, field in enumerate(fields) if field.bit is not None]

    def decode(self, registers: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the fields' values in order.

        Every type but a 64-bit integer fits a float64 exactly.

        Raises:
            IndexError: The answer is shorter than the block.
        """
        ordered = self._registers.pack(*[registers[word] for word in self._words])
        values = list(self._values.unpack(ordered))
        for place, bit in self._bits:
            values[place] = values[place] >> bit & 1
        return np.array(values, np.float64)

    def encode(self, values: Sequence[float], registers: Sequence[int]) -> list[int]:
        """Return the registers with the fields' values written in, all others as they were.

        Raises:
            struct.error: A value does not fit its type.
        """
        written = list(registers)
        for field, value in zip(self._fields, values, strict=True):
            words = words_of(field)
            old = [written[word] for word in words]
            for word, register in zip(words, _encoded(field, value, old), strict=True):
                written[word] = register
        return written


def width(register_type: RegisterType) -> int:
    """Return how many registers a type takes."""
    return struct.calcsize(">" + STRUCT_CODES[register_type]) // REGISTER_BYTES


def words_of(field: Field) -> list[int]:
    """Return a field's registers within its block, the most significant first."""
    words = list(range(field.at, field.at + width(field.type)))
    return words if field.word_order is WordOrder.BIG else words[::-1]


def _encoded(field: Field, value: float, old: Sequence[int]) -> tuple[int, ...]:
    """Return a value's registers, the most significant first."""
    code = ">" + STRUCT_CODES[field.type]
    registers = f">{len(old)}H"
    if field.bit is not None:
        whole: int = struct.unpack(code, struct.pack(registers, *old))[0]
        mask = 1 << field.bit
        value = whole | mask if value else whole & ~mask
    elif field.type not in {RegisterType.FLOAT32, RegisterType.FLOAT64}:
        value = int(value)
    return struct.unpack(registers, struct.pack(code, value))
