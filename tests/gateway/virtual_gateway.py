"""A gateway process whose devices play minutes of load in seconds: ``python -m tests.gateway.virtual_gateway …``.

A pump says one value 200 times a second; every 30 s its seal begins to leak, and 10 s later it is dry again. Like a
device with a session at a broker it says everything again from the first second that was not acknowledged. Each
acknowledged second is printed, and at the end, when the engine has committed everything, ``empty``.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

from facility.clock import NS_PER_S, VirtualClock
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from gateway.events import Delivery
from tests.gateway.bus_ends import BEARING, SEAL, START_NS, edge, topics_of, until

RATE = 200
"""Bearing temperatures in a second."""
LEAK_EVERY_S, LEAK_FOR_S = 30, 10

AHEAD = 20
"""Seconds said and not acknowledged, at most."""


def second_of_load(second: int) -> SampleBatch:
    """Return what the pump says in one second: the same whenever it is asked."""
    began_ns = START_NS + second * NS_PER_S
    step_ns = NS_PER_S // RATE
    leaks = second % LEAK_EVERY_S < LEAK_FOR_S
    rows = [Sample(SEAL, began_ns, began_ns, float(leaks), Quality.GOOD)]
    rows += [
        Sample(BEARING, began_ns + number * step_ns, began_ns, float(second * RATE + number) % 50, Quality.GOOD)
        for number in range(RATE)
    ]
    return SampleBatch.of(rows)


async def play(folder: Path, port: int, prefix: str, *, first: int, last: int) -> None:
    """Say the seconds from first to before last, at most so far ahead of the acknowledgements as they may be."""
    clock = VirtualClock(START_NS + first * NS_PER_S)
    acknowledged = first

    def acknowledge(second: int) -> None:
        nonlocal acknowledged
        acknowledged = second + 1
        print(second, flush=True)  # noqa: T201  # how the test hears what is safe

    async with edge(folder, port, topics_of(prefix), clock) as near:
        for second in range(first, last):
            near.inbox.put(
                Delivery(
                    connection_id="pump",
                    batch=second_of_load(second),
                    acknowledge=partial(acknowledge, second),
                )
            )
            clock.advance(1.0)
            while second - acknowledged >= AHEAD:  # noqa: ASYNC110  # another thread acknowledges
                await asyncio.sleep(0.01)
        await until(lambda: acknowledged == last)
        await until(lambda: near.waiting == 0, within_s=300.0)
        print("empty", flush=True)  # noqa: T201  # as above


if __name__ == "__main__":
    asyncio.run(play(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], first=int(sys.argv[4]), last=int(sys.argv[5])))
