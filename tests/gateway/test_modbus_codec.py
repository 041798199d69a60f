"""Registers to numbers and back."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.modbus.codec import BlockCodec, Field, RegisterType, WordOrder, width

values_of = {
    RegisterType.INT16: st.integers(-(2**15), 2**15 - 1),
    RegisterType.UINT16: st.integers(0, 2**16 - 1),
    RegisterType.INT32: st.integers(-(2**31), 2**31 - 1),
    RegisterType.UINT32: st.integers(0, 2**32 - 1),
    RegisterType.FLOAT32: st.floats(width=32),
    RegisterType.FLOAT64: st.floats(),
}
BIT_TYPES = [RegisterType.UINT16, RegisterType.UINT32]


@st.composite
def maps_with_values(draw: st.DrawFn) -> tuple[list[Field], list[float]]:
    """Fields one behind the other, with gaps, and a value for each."""
    fields: list[Field] = []
    values: list[float] = []
    at = 0
    for kind, order, gap in draw(
        st.lists(
            st.tuples(st.sampled_from(RegisterType), st.sampled_from(WordOrder), st.integers(0, 5)),
            min_size=1,
            max_size=30,
        )
    ):
        at += gap
        bit = draw(st.none() | st.integers(0, 15)) if kind in BIT_TYPES else None
        fields.append(Field(at=at, type=kind, word_order=order, bit=bit))
        values.append(draw(st.integers(0, 1) if bit is not None else values_of[kind]))
        at += width(kind)
    return fields, values


@given(maps_with_values())
def test_what_is_written_is_read_back_exactly_and_nothing_else_changes(
    case: tuple[list[Field], list[float]],
) -> None:
    fields, values = case
    size = fields[-1].at + width(fields[-1].type) + 2
    before = [0xA5A5] * size
    codec = BlockCodec(fields)
    registers = codec.encode(values, before)
    for read, written in zip(codec.decode(registers).tolist(), values, strict=True):
        assert read == written or (math.isnan(read) and math.isnan(written))
    used = {word for field in fields for word in range(field.at, field.at + width(field.type))}
    assert all(registers[at] == 0xA5A5 for at in range(size) if at not in used)
    assert all(0 <= register <= 0xFFFF for register in registers)


@pytest.mark.parametrize(
    ("order", "registers"), [(WordOrder.BIG, [0x0001, 0x86A0]), (WordOrder.LITTLE, [0x86A0, 0x0001])]
)
def test_two_makes_store_one_hundred_thousand_in_their_own_word_order(order: WordOrder, registers: list[int]) -> None:
    codec = BlockCodec([Field(at=0, type=RegisterType.UINT32, word_order=order)])
    assert codec.decode(registers).tolist() == [100_000.0]


def test_a_float_most_significant_word_first_is_what_struct_packs() -> None:
    registers = list(struct.unpack(">2H", struct.pack(">f", 42.5)))
    assert BlockCodec([Field(at=0, type=RegisterType.FLOAT32)]).decode(registers).tolist() == [42.5]


def test_bits_of_one_register_are_separate_values() -> None:
    fields = [Field(at=0, type=RegisterType.UINT16, bit=bit) for bit in range(4)]
    assert BlockCodec(fields).decode([0b1010]).tolist() == [0, 1, 0, 1]


def test_a_value_that_does_not_fit_its_type_is_refused() -> None:
    codec = BlockCodec([Field(at=0, type=RegisterType.INT16)])
    with pytest.raises(struct.error):
        codec.encode([40_000], [0])
