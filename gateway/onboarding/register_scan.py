"""Which registers of a Modbus unit exist: a device refuses a whole block when one of it is missing, so halve and ask.

The plan is exact and asks for nothing twice. Once the left half of a refused block answered, its right half is thought
to lack something and is halved at once; each single register is asked for, as the block may just have been too long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

MAX_BLOCK: Final = 100
"""Registers in the first requests; every device that follows the specification gives 125."""


class Refusal(NamedTuple):
    """A device answered with an exception."""

    code: int
    reason: str


class Silence(NamedTuple):
    """Nothing came, twice."""


Answer = list[int] | Refusal | Silence
Ask = Callable[[int, int], Awaitable[Answer]]
"""Reads a number of registers (second) from an address (first)."""


class Range(NamedTuple):
    """Registers in a row, both ends included."""

    first: int
    last: int

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.first}-{self.last}" if self.last > self.first else str(self.first)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedUnit:
    """What one unit has of what was asked for."""

    unit: int
    values: Mapping[int, int] = field(default_factory=dict)
    """Register to what stood in it."""
    requests: int = 0
    trouble: str = ""
    """Why the scan of this unit ended early; empty where it did not."""

    @property
    def ranges(self) -> list[Range]:
        """Return the registers that exist, in rows."""
        return ranges_of(self.values)


def most_requests(first: int, last: int) -> int:
    """Return how many requests a scan of one unit can take at worst: when every second register is missing."""
    blocks = -(-(last - first + 1) // MAX_BLOCK)
    return 2 * (last - first + 1) + blocks


def ranges_of(registers: Mapping[int, int]) -> list[Range]:
    """Return the rows that registers stand in."""
    ranges: list[Range] = []
    for register in sorted(registers):
        if ranges and ranges[-1].last == register - 1:
            ranges[-1] = Range(ranges[-1].first, register)
        else:
            ranges.append(Range(register, register))
    return ranges


async def scan(unit: int, ask: Ask, first: int, last: int) -> ScannedUnit:
    """Find the registers of a unit between two addresses, both included.

    Never raises for what the device says: silence in the middle, or a refusal that is not about the address, ends it.
    """
    found = _Scan(ask)
    trouble = ""
    try:
        for start in range(first, last + 1, MAX_BLOCK):
            await found.look(start, min(MAX_BLOCK, last + 1 - start), is_refused=False)
    except _EndError as error:
        trouble = str(error)
    return ScannedUnit(unit=unit, values=found.values, requests=found.requests, trouble=trouble)


class _EndError(Exception):
    """The scan of this unit is over; says why."""


class _Scan:
    def __init__(self, ask: Ask) -> None:
        self.values: dict[int, int] = {}
        self.requests = 0
        self._ask = ask

    async def look(self, start: int, count: int, *, is_refused: bool) -> bool:
        """Take a block's registers, by halves where the device refuses it; return whether all of it exist.

        Args:
            start: Its first register.
            count: How many registers it has.
            is_refused: The block will be refused as a whole, so only its parts are asked for.
        """
        if (count == 1 or not is_refused) and await self._take(start, count):
            return True
        if count > 1:
            middle = count // 2
            left_is_whole = await self.look(start, middle, is_refused=False)
            await self.look(start + middle, count - middle, is_refused=left_is_whole)
        return False

    async def _take(self, start: int, count: int) -> bool:
        self.requests += 1
        answer = await self._ask(start, count)
        if isinstance(answer, Silence):
            raise _EndError(f"it fell silent at register {start}")
        if isinstance(answer, Refusal):
            if answer.code not in _ABOUT_THE_ADDRESS:
                raise _EndError(answer.reason)
            return False
        self.values.update(enumerate(answer, start))
        return True


_ABOUT_THE_ADDRESS: Final = frozenset({2, 3, 4})
"""Illegal address; illegal value, as some say of a block too long for them; device failure, as some say of a hole."""
