"""Which registers to read together: pure, so that every device's map can be tested without a device.

Values that lie near each other are read in one request, unread registers between them included. A device that refuses
to read across a gap teaches a *hole*, and later plans keep out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MAX_REGISTERS: Final = 120
"""Registers in one request; Modbus allows 125 and some devices count their own header."""

MAX_GAP: Final = 8
"""Unread registers in a row worth reading along rather than asking twice."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Span:
    """The registers of one value."""

    function: int
    """Modbus function code that reads it: 3 holding, 4 input registers."""
    start: int
    width: int
    """Registers, at least 1."""
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
        """Return how many registers the request asks for."""
        return self.end - self.start


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
    new_end = max(end, span.end)
    return (
        span.function == first.function
        and span.start - end <= max_gap
        and new_end - first.start <= max_registers
        and not any(hole.lies_in(first.function, first.start, new_end) for hole in holes)
    )


def _end(spans: Sequence[Span]) -> int:
    return max(span.end for span in spans)
