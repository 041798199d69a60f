"""What every simulated wire promises, and the facility time that all of them step on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from facility.clock import NS_PER_S, Clock
from facility.model import Asset, Connection
from simulators.device import SimulatedDevice

MAX_BEHIND_S = 2.0
"""Wall seconds that a late ticker makes up for; beyond them (a suspended machine) it goes on from the present."""

MAX_SLEEP_S = 0.5
"""Longest wall sleep between two looks at the clock, so that a clock set forward is noticed."""


class Wire(Protocol):
    """One protocol endpoint that lets devices be read as real ones would."""

    @property
    def devices(self) -> Sequence[SimulatedDevice]:
        """The devices that it steps and speaks for."""
        ...

    async def run(self) -> None:
        """Step the devices on facility time and speak the protocol until cancelled."""
        ...


class WireFactory(Protocol):
    """How a wire is built; the constructor of every wire has this shape."""

    def __call__(self, connection: Connection, assets: Sequence[Asset], *, clock: Clock, seed: int) -> Wire:
        """Build the devices of the assets and the wire that speaks for them; opens nothing yet."""
        ...


async def wait_until(clock: Clock, due_ns: int) -> None:
    """Return when the clock shows ``due_ns`` or later, whatever its speed."""
    while (left_ns := due_ns - clock.now_ns()) > 0:  # noqa: ASYNC110  # a clock has no event to wait for
        await asyncio.sleep(min(left_ns / NS_PER_S / clock.speed, MAX_SLEEP_S))


async def ticks(clock: Clock, period_s: float) -> AsyncIterator[tuple[int, float]]:
    """Yield ``(now_ns, dt_s)`` every ``period_s`` facility seconds.

    Ticks lie on a fixed grid from the first look at the clock, so they never drift and every step has the same length.
    Late ticks are made up one by one; a clock that is further away than ``MAX_BEHIND_S`` in either direction starts a
    new grid, and the time between is as if it had not been.
    """
    period_ns = round(period_s * NS_PER_S)
    patience_ns = max(round(MAX_BEHIND_S * clock.speed * NS_PER_S), 2 * period_ns)
    due_ns = clock.now_ns() + period_ns
    while True:
        if abs(clock.now_ns() - due_ns) > patience_ns:
            due_ns = clock.now_ns() + period_ns
        if due_ns <= clock.now_ns():
            await asyncio.sleep(0)  # lets the loop breathe while late ticks are made up
        else:
            await wait_until(clock, due_ns)
        yield due_ns, period_s
        due_ns += period_ns
