"""The simulated pumps as mbpoll sees them: a client written in C, on libmodbus."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.servers import binary, free_port
from tests.simulators.modbus_client import client_of, running
from tests.simulators.test_pumps_wire import wire_at


async def mbpoll(port: int, *arguments: str) -> dict[int, float]:
    """Run mbpoll once; return what it prints by address."""
    command = [binary("mbpoll"), "-m", "tcp", "-p", str(port), "-0", "-1", "-q", "127.0.0.1", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return {int(at): float(value) for at, value in re.findall(rb"\[(\d+)\]:\s+(-?[\d.]+)", output)}


async def test_mbpoll_reads_either_make_with_its_own_types_and_word_order() -> None:
    port = free_port()
    async with running(wire_at(port)), client_of(port):
        floats = await mbpoll(port, "-a", "1", "-t", "4:float", "-B", "-r", "0", "-c", "2")
        words = await mbpoll(port, "-a", "2", "-t", "4", "-r", "100", "-c", "2")
        counter = await mbpoll(port, "-a", "2", "-t", "4:int", "-r", "110", "-c", "1")
    assert floats[0] == pytest.approx(1465, abs=5)
    assert words[100] == pytest.approx(floats[0], abs=10)
    assert words[101] * 0.1 == pytest.approx(floats[2], rel=0.2)
    assert counter[110] / 1000 == pytest.approx(1234.5, abs=0.01)


async def test_mbpoll_sets_the_speed_of_a_pump() -> None:
    port = free_port()
    async with running(wire_at(port)), client_of(port):
        await mbpoll(port, "-a", "1", "-t", "4:float", "-B", "-r", "27", "--", "1200")
        assert (await mbpoll(port, "-a", "1", "-t", "4:float", "-B", "-r", "27", "-c", "1"))[27] == 1200.0
