"""Registers to numbers and back, held against struct and against arithmetic of another kind."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bits import BitField
from gateway.drivers.modbus.codec import (
    STRUCT_CODES,
    UNSIGNED,
    BitBlockCodec,
    BlockCodec,
    ByteOrder,
    Field,
    RegisterType,
    width,
)

values_of = {
    RegisterType.INT16: st.integers(-(2**15), 2**15 - 1),
    RegisterType.UINT16: st.integers(0, 2**16 - 1),
    RegisterType.INT32: st.integers(-(2**31), 2**31 - 1),
    RegisterType.UINT32: st.integers(0, 2**32 - 1),
    RegisterType.INT64: st.integers(-(2**53), 2**53),
    RegisterType.UINT64: st.integers(0, 2**53),
    RegisterType.FLOAT32: st.floats(width=32),
    RegisterType.FLOAT64: st.floats(),
    RegisterType.BCD16: st.integers(0, 9_999),
    RegisterType.BCD32: st.integers(0, 99_999_999),
}


@st.composite
def bit_fields(draw: st.DrawFn, kind: RegisterType) -> BitField | None:
    if kind not in UNSIGNED:
        return None
    low = draw(st.integers(0, 16 * width(kind) - 1))
    # A float64 holds 53 bits exactly.
    return draw(st.none() | st.integers(low, min(low + 52, 16 * width(kind) - 1)).map(lambda high: BitField(low, high)))


@st.composite
def maps_with_values(draw: st.DrawFn) -> tuple[list[Field], list[float]]:
    """Fields one behind the other, with gaps, and a value for each."""
    fields: list[Field] = []
    values: list[float] = []
    at = 0
    kinds = st.tuples(st.sampled_from(list(STRUCT_CODES)), st.sampled_from(ByteOrder), st.integers(0, 5))
    for kind, order, gap in draw(st.lists(kinds, min_size=1, max_size=30)):
        at += gap
        bits = draw(bit_fields(kind))
        fields.append(Field(at=at, type=kind, order=order, bits=bits))
        values.append(draw(st.integers(0, bits.mask) if bits is not None else values_of[kind]))
        at += width(kind)
    return fields, values


def data_of(registers: list[int]) -> bytes:
    return struct.pack(f">{len(registers)}H", *registers)


def by_the_book(field: Field, data: bytes) -> float:
    """Read one field as the letters of its order say: A is the most significant byte of a pair of registers."""
    own = data[2 * field.at : 2 * (field.at + width(field.type))]
    pairs = [own[at : at + 2] for at in range(0, len(own), 2)]
    if field.order in {ByteOrder.BADC, ByteOrder.DCBA}:
        pairs = [pair[::-1] for pair in pairs]
    if field.order in {ByteOrder.CDAB, ByteOrder.DCBA}:
        pairs = pairs[::-1]
    big = b"".join(pairs)
    if field.type in {RegisterType.BCD16, RegisterType.BCD32}:
        return float(big.hex()) if big.hex().isdecimal() else math.nan
    number = struct.unpack(">" + STRUCT_CODES[field.type], big)[0]
    if field.bits is not None:
        return float(int(f"{number:064b}"[::-1][field.bits.low : field.bits.high + 1][::-1], 2))
    return float(number)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@given(maps_with_values())
def test_what_is_written_is_read_back_exactly_and_nothing_else_changes(
    case: tuple[list[Field], list[float]],
) -> None:
    fields, values = case
    size = fields[-1].at + width(fields[-1].type) + 2
    before = [0xA5A5] * size
    codec = BlockCodec(fields)
    registers = codec.encode(values, before)
    for read, written in zip(codec.decode(data_of(registers)).tolist(), values, strict=True):
        assert same(read, written)
    used = {word for field in fields for word in range(field.at, field.at + width(field.type))}
    assert all(registers[at] == 0xA5A5 for at in range(size) if at not in used)
    assert all(0 <= register <= 0xFFFF for register in registers)


@given(maps_with_values(), st.data())
def test_any_registers_at_all_are_read_as_the_manual_of_the_device_says(
    case: tuple[list[Field], list[float]], more: st.DataObject
) -> None:
    fields, _ = case
    size = 2 * (fields[-1].at + width(fields[-1].type))
    data = more.draw(st.binary(min_size=size, max_size=size))
    for field, read in zip(fields, BlockCodec(fields).decode(data).tolist(), strict=True):
        assert same(read, by_the_book(field, data))


@pytest.mark.parametrize(
    ("order", "registers"),
    [
        ("ABCD", [0x1234, 0x5678]),
        ("big", [0x1234, 0x5678]),
        ("CDAB", [0x5678, 0x1234]),
        ("little", [0x5678, 0x1234]),
        ("BADC", [0x3412, 0x7856]),
        ("DCBA", [0x7856, 0x3412]),
    ],
)
def test_four_makes_store_one_number_in_their_own_byte_order(order: str, registers: list[int]) -> None:
    codec = BlockCodec([Field(at=0, type=RegisterType.UINT32, order=ByteOrder(order))])
    assert codec.decode(data_of(registers)).tolist() == [0x12345678]


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_counter_of_64_bits_beyond_2_to_the_53_is_the_nearest_number_that_a_float_holds(count: int) -> None:
    data = struct.pack(">q", count)
    assert BlockCodec([Field(at=0, type=RegisterType.INT64)]).decode(data).tolist() == [float(count)]


def test_bits_of_one_register_are_separate_values() -> None:
    fields = [Field(at=0, type=RegisterType.UINT16, bits=BitField(bit, bit)) for bit in range(4)]
    whole = Field(at=0, type=RegisterType.UINT16)
    upper = Field(at=0, type=RegisterType.UINT16, bits=BitField(4, 7))
    assert BlockCodec([*fields, whole, upper]).decode(data_of([0b1110_1010])).tolist() == [0, 1, 0, 1, 0xEA, 0b1110]


def test_half_bytes_above_nine_are_no_decimal_number() -> None:
    codec = BlockCodec([Field(at=0, type=RegisterType.BCD16), Field(at=1, type=RegisterType.BCD32)])
    good, bad = codec.decode(data_of([0x1234, 0x9999, 0x999A])).tolist()
    assert good == 1234
    assert math.isnan(bad)


@pytest.mark.parametrize(
    ("order", "data"), [("ABCD", b"FAULT 07\0xyz "), ("CDAB", b"FAULT 07\0xyz "), ("BADC", b"AFLU T70x\0zy ")]
)
def test_a_text_is_read_up_to_its_end_whatever_the_order_of_its_bytes(order: str, data: bytes) -> None:
    field = Field(at=0, type=RegisterType.STRING, order=ByteOrder(order), length=len(data) // 2)
    assert BlockCodec([field]).texts(data) == [(0, "FAULT 07")]


def test_coils_and_discrete_inputs_are_bits_from_the_lowest_of_the_first_byte_on() -> None:
    codec = BitBlockCodec([Field(at=at, type=RegisterType.BOOL) for at in (0, 1, 7, 8, 9)])
    assert codec.decode(bytes([0b1000_0010, 0b01])).tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field(at=0, type=RegisterType.INT16), 40_000),
        (Field(at=0, type=RegisterType.BCD16), 10_000),
        (Field(at=0, type=RegisterType.UINT16, bits=BitField(0, 2)), 8),
    ],
)
def test_a_value_that_does_not_fit_its_place_is_refused(field: Field, value: float) -> None:
    with pytest.raises((struct.error, ValueError)):
        BlockCodec([field]).encode([value], [0])
