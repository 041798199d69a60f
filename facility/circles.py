"""What leads back to itself: parents, and rules that read each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def circle_of(start: str, parents: Mapping[str, str | None]) -> list[str]:
    """Return the circle of parents that leads from a name back to itself, or nothing."""
    way = [start]
    while (parent := parents.get(way[-1])) is not None and parent not in way:
        way.append(parent)
    return [*way, start] if parent == start else []


def circle_through(start: str, reads: Callable[[str], Sequence[str]]) -> list[str]:
    """Return a circle that leads from a name through others back to itself, or nothing."""
    ways = [[start]]
    seen = {start}
    while ways:
        way = ways.pop()
        for name in reads(way[-1]):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
