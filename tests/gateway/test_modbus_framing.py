"""Modbus frames, sound and broken, against pymodbus' own framers and against anything that bytes can be."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerAscii, FramerBase, FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from gateway.drivers.modbus import pdu
from gateway.drivers.modbus.framing import ASCII, RTU, TCP, Asked, Framing

FRAMERS: list[tuple[Framing, type[FramerBase]]] = [(TCP, FramerSocket), (RTU, FramerRTU), (ASCII, FramerAscii)]
IDS = [framing.name for framing, _ in FRAMERS]
transactions, units = st.integers(0, 0xFFFF), st.integers(1, 247)
requests = st.one_of(
    st.builds(pdu.read, st.integers(1, 4), st.integers(0, 0xFFFF), st.integers(1, 125)),
    st.builds(lambda at, on: pdu.write_coil(at, on=on), st.integers(0, 0xFFFF), st.booleans()),
    st.builds(pdu.write_coils, st.integers(0, 0xFFFF), st.lists(st.booleans(), min_size=1, max_size=40)),
    st.builds(pdu.write_register, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)),
    st.builds(pdu.write_registers, st.integers(0, 0xFFFF), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=100)),
    st.builds(
        lambda at, kept, new: pdu.mask_write_register(at, kept=kept, new=new),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFF),
    ),
    st.builds(
        pdu.read_write_registers, st.integers(0, 0xFFFF), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=100)
    ),
)


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[Asked, bytes, bytes]:
    """A request, and an answer that fits it."""
    request = draw(requests)
    asked = Asked(draw(transactions), draw(units), request[0])
    size = pdu.answer_size(request)
    data = draw(st.binary(min_size=size - 2, max_size=size - 2))
    fits = {5: request, 6: request, 22: request, 15: request[:5], 16: request[:5]}
    answer = fits.get(request[0], request[:1] + bytes([len(data)]) + data)
    refused = bytes([request[0] | 0x80, draw(st.integers(1, 11))])
    return asked, request, draw(st.sampled_from([answer, refused]))


@pytest.mark.parametrize(("framing", "framer"), FRAMERS, ids=IDS)
@given(exchanges())
def test_a_request_is_the_same_for_pymodbus(
    framing: Framing, framer: type[FramerBase], exchange: tuple[Asked, bytes, bytes]
) -> None:
    asked, request, _ = exchange
    theirs = framer(DecodePDU(is_server=True))
    sent = framing.wrap(asked, request)
    assert sent == theirs.encode(request, asked.unit, asked.transaction)
    used, unit, transaction, understood = theirs.decode(sent)
    assert (used, unit, understood) == (len(sent), asked.unit, request)
    assert transaction == (asked.transaction if framing is TCP else 0)


@pytest.mark.parametrize(("framing", "framer"), FRAMERS, ids=IDS)
@given(exchanges())
def test_an_answer_of_pymodbus_is_found_whole_and_never_before_it_is_whole(
    framing: Framing, framer: type[FramerBase], exchange: tuple[Asked, bytes, bytes]
) -> None:
    asked, request, answer = exchange
    arrived = framer(DecodePDU(is_server=False)).encode(answer, asked.unit, asked.transaction)
    assert framing.find(arrived, asked) == answer
    for end in range(len(arrived)):
        assert framing.find(arrived[:end], asked) is None
    data = pdu.data_of(request, answer)
    if answer[0] & 0x80:
        assert data == answer[1]
    else:
        assert isinstance(data, bytes)
        assert len(data) == (len(answer) - 2 if request[0] in {1, 2, 3, 4, 23} else 0)


@pytest.mark.parametrize(("framing", "framer"), FRAMERS, ids=IDS)
@given(exchanges(), units, transactions)
def test_the_answer_of_another_is_never_taken(
    framing: Framing, framer: type[FramerBase], exchange: tuple[Asked, bytes, bytes], unit: int, transaction: int
) -> None:
    asked, _, answer = exchange
    arrived = framer(DecodePDU(is_server=False)).encode(answer, unit, transaction)
    mine = unit == asked.unit and (framing is not TCP or transaction == asked.transaction)
    assert (framing.find(arrived, asked) == answer) == mine


@pytest.mark.parametrize("framing", [RTU, ASCII], ids=["rtu", "ascii"])
@given(exchanges(), st.binary(max_size=20), st.integers(0, 10_000))
def test_on_a_serial_line_noise_before_an_answer_is_passed_over_and_a_flipped_bit_is_seen(
    framing: Framing, exchange: tuple[Asked, bytes, bytes], noise: bytes, flipped: int
) -> None:
    asked, _, answer = exchange
    arrived = framing.wrap(asked, answer)
    if framing is RTU or b"\r" not in noise:
        assert framing.find(noise + arrived, asked) is not None
    at = flipped % (8 * len(arrived))
    broken = bytearray(arrived)
    broken[at // 8] ^= 1 << at % 8
    found = framing.find(bytes(broken), asked)
    # A hexadecimal letter may change its case, and what stands before the colon is no part of the frame.
    assert found is None or (framing is ASCII and found == answer)


@pytest.mark.parametrize("framing", [TCP, RTU, ASCII], ids=IDS)
@given(st.randoms(use_true_random=True), requests, transactions, units)
def test_whatever_arrives_nothing_breaks(
    framing: Framing, chance: Random, request: bytes, transaction: int, unit: int
) -> None:
    """Four thousand times for each framing: noise, and frames whose content, end or one byte is left to chance."""
    asked = Asked(transaction, unit, request[0])
    for _ in range(20):
        noise = chance.randbytes(chance.randrange(300))
        frame = bytearray(framing.wrap(asked, request[:1] + noise))
        frame[chance.randrange(len(frame))] = chance.randrange(256)
        for arrived in (noise, noise + bytes(frame[: chance.randrange(len(frame) + 1)])):
            found = framing.find(arrived, asked)
            if found is not None:
                pdu.data_of(request, found)


@given(requests, st.binary(max_size=300))
def test_whatever_an_answer_says_it_is_data_of_the_right_length_or_a_code(request: bytes, answer: bytes) -> None:
    data = pdu.data_of(request, answer)
    if isinstance(data, bytes):
        assert len(data) == (pdu.read_size(request) if request[0] in {1, 2, 3, 4, 23} else 0)
    else:
        assert 0 <= data <= 255
        assert pdu.describe(data)


def test_an_answer_that_came_too_late_does_not_hide_the_one_behind_it() -> None:
    late = TCP.wrap(Asked(6, 1, 3), b"\x03\x02\x00\x01")
    right = TCP.wrap(Asked(7, 1, 3), b"\x03\x02\x00\x02")
    assert TCP.find(late + right, Asked(7, 1, 3)) == b"\x03\x02\x00\x02"
