"""Which registers to read together: pure, so that every device's map can be tested without a device.

Values that lie near each other are read in one request, unread registers between them included. A device that refuses
to read across a gap teaches a *hole*, and later plans keep out of it. Coils and discrete inputs have an address for
each bit; where limits speak of registers, sixteen of them count as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.drivers.modbus.pdu import BIT_FUNCTIONS, MAX_BITS

MAX_REGISTERS: Final = 120
"""Registers in one request; Modbus allows 125 and some devices count their own header."""

MAX_GAP: Final = 8
"""Unread registers in a row worth reading along rather than asking twice."""

BITS_PER_REGISTER: Final = 16


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Span:
    """The registers of one value."""

    function: int
    """Modbus function code that reads it: 1 coils, 2 discrete inputs, 3 holding, 4 input registers."""
    start: int
    width: int
    """Registers or bits, at least 1."""
    column: int
    """Place of the value among its unit's points."""

    @property
    def end(self) -> int:
        """Return the first register behind it."""
        return self.start + self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Registers that no request may contain; empty (``start == end``) for a border that none may cross."""

    function: int
    start: int
    end: int

    def lies_in(self, function: int, start: int, end: int) -> bool:
        """Say whether a request for these registers would touch the hole."""
        return function == self.function and start < self.end and self.start < end


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One request and the values that it brings."""

    spans: tuple[Span, ...]
    """Sorted by address; at least one."""

    @property
    def function(self) -> int:
        """Return the function code of the request."""
        return self.spans[0].function

    @property
    def start(self) -> int:
        """Return the first register."""
        return self.spans[0].start

    @property
    def end(self) -> int:
        """Return the first register behind the last one."""
        return max(span.end for span in self.spans)

    @property
    def count(self) -> int:
        """Return how many registers or bits the request asks for."""
        return self.end - self.start

    @property
    def registers(self) -> int:
        """Return how many registers the request is worth, sixteen bits being one."""
        return -(-self.count // addresses_per_register(self.function))


def addresses_per_register(function: int) -> int:
    """Return how many addresses make sixteen bits."""
    return BITS_PER_REGISTER if function in BIT_FUNCTIONS else 1


def plan(
    spans: Iterable[Span],
    *,
    max_gap: int = MAX_GAP,
    max_registers: int = MAX_REGISTERS,
    holes: Iterable[Hole] = (),
) -> list[Block]:
    """Return the requests that read every span exactly once.

    Spans are joined in order of address while the gap, the length and the holes allow it. A span on its own is always
    read, whatever the limits say.
    """
    known = tuple(holes)
    blocks: list[list[Span]] = []
    end = 0
    for span in sorted(spans):
        if blocks and _joins(blocks[-1][0], end, span, max_gap=max_gap, max_registers=max_registers, holes=known):
            blocks[-1].append(span)
            end = max(end, span.end)
        else:
            blocks.append([span])
            end = span.end
    return [Block(spans=tuple(block)) for block in blocks]


def bisect(block: Block) -> tuple[Block, Block] | None:
    """Split a refused block at its widest gap (nearest the middle among equals); ``None``: it cannot be split."""
    spans = block.spans
    cuts = [at for at in range(1, len(spans)) if _end(spans[:at]) <= spans[at].start]
    if not cuts:
        return None
    middle = len(spans) / 2
    best = max(cuts, key=lambda at: (spans[at].start - _end(spans[:at]), -abs(at - middle)))
    return Block(spans=spans[:best]), Block(spans=spans[best:])


def hole_between(left: Block, right: Block) -> Hole:
    """Return what two blocks teach that can be read, but not together."""
    return Hole(function=left.function, start=left.end, end=right.start)


def _joins(first: Span, end: int, span: Span, *, max_gap: int, max_registers: int, holes: Sequence[Hole]) -> bool:
    """Say whether a span may join the block from ``first`` to ``end``."""
    new_end, addresses = max(end, span.end), addresses_per_register(first.function)
    return (
        span.function == first.function
        and span.start - end <= max_gap * addresses
        and new_end - first.start <= min(MAX_BITS, max_registers * addresses)
        and not any(hole.lies_in(first.function, first.start, new_end) for hole in holes)
    )


def _end(spans: Sequence[Span]) -> int:
    return max(span.end for span in spans)
