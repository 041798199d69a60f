"""The scan of registers finds exactly what is there, asks only for what it must, and no faster than it may."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.model import Connection, Protocol
from gateway.onboarding.modbus_survey import Wanted, survey
from gateway.onboarding.register_scan import Answer, Range, Refusal, Silence, most_requests, ranges_of, scan
from tests.gateway.modbus_server import FakeUnit, serving
from tests.servers import free_port

SIZE = 60


class Device:
    """A device of nothing but registers."""

    def __init__(self, missing: set[int], *, longest: int = 125) -> None:
        self.missing = missing
        self.longest = longest
        self.asked: list[tuple[int, int]] = []

    async def ask(self, start: int, count: int) -> Answer:
        self.asked.append((start, count))
        if count > self.longest:
            return Refusal(3, "illegal data value")
        if self.missing.intersection(range(start, start + count)):
            return Refusal(2, "illegal data address")
        return [register * 7 for register in range(start, start + count)]


@given(st.sets(st.integers(0, 299)), st.integers(0, 299), st.integers(0, 299), st.sampled_from([1, 10, 125]))
def test_the_scan_finds_exactly_what_is_there_and_asks_nothing_twice(
    missing: set[int], one: int, other: int, longest: int
) -> None:
    first, last = sorted((one, other))
    device = Device(missing, longest=longest)
    found = asyncio.run(scan(1, device.ask, first, last))
    assert found.values == {register: register * 7 for register in range(first, last + 1) if register not in missing}
    assert len(set(device.asked)) == len(device.asked) == found.requests <= most_requests(first, last)


@given(st.sets(st.integers(0, 400)))
def test_rows_are_the_registers_and_nothing_else(registers: set[int]) -> None:
    ranges = ranges_of(dict.fromkeys(registers, 0))
    assert {register for each in ranges for register in range(each.first, each.last + 1)} == registers
    assert all(before.last + 1 < after.first for before, after in pairwise(ranges))


@pytest.mark.parametrize("end", [Silence(), Refusal(1, "illegal function")])
async def test_silence_or_a_refusal_of_another_kind_ends_the_scan_of_a_unit(end: Answer) -> None:
    async def ask(start: int, count: int) -> Answer:
        return end if start else [0] * count

    found = await scan(1, ask, 0, 150)
    assert found.ranges == [Range(0, 99)]
    assert found.trouble


def line(port: int) -> Connection:
    return Connection(id="line", protocol=Protocol.MODBUS, host="127.0.0.1", port=port, options={"timeout_s": 1.0})


async def surveyed(port: int, units: Sequence[int], last: int) -> dict[int, list[Range]]:
    wanted = Wanted(units=units, first=0, last=last, function=3, rate_hz=1000.0)
    return {unit.unit: unit.ranges async for unit in survey(line(port), wanted)}


@given(st.sets(st.integers(0, SIZE - 1)))
@settings(max_examples=8)
def test_a_survey_finds_the_rows_of_a_real_device(missing: set[int]) -> None:
    async def look() -> None:
        port = free_port()
        async with serving(port, {3: FakeUnit(registers=[5] * SIZE, missing=missing)}):
            found = await surveyed(port, [3], SIZE + 10)
        assert found == {3: ranges_of({register: 5 for register in range(SIZE) if register not in missing})}

    asyncio.run(look())


async def test_units_that_do_not_answer_are_not_there_and_silence_costs_two_timeouts() -> None:
    port = free_port()
    async with serving(port, {1: FakeUnit(registers=[5] * 10), 2: FakeUnit(registers=[5] * 10, silent=True)}):
        found = await surveyed(port, [1, 2], 9)
    assert found == {1: [Range(0, 9)]}


async def test_the_line_gets_no_more_than_the_rate_and_is_told_what_comes() -> None:
    port = free_port()
    unit = FakeUnit(registers=[5] * 10)
    wanted = Wanted(units=[1], first=0, last=9, function=3, rate_hz=20.0)
    assert wanted.load(1.0).startswith("Reads only: at most 23 requests at 20 a second")
    async with serving(port, {1: unit}):
        began_s = asyncio.get_running_loop().time()
        [_ async for _ in survey(line(port), wanted)]
        took_s = asyncio.get_running_loop().time() - began_s
    assert took_s >= (len(unit.requests) - 1) / 20.0
    assert {function for function, _, _ in unit.requests} == {3}
