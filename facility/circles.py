"""Parents that lead back to themselves."""

from __future__ import annotations

from collections.abc import Mapping


def circle_of(start: str, parents: Mapping[str, str | None]) -> list[str]:
    """Return the circle of parents that leads from a name back to itself, or nothing."""
    way = [start]
    while (parent := parents.get(way[-1])) is not None and parent not in way:
        way.append(parent)
    return [*way, start] if parent == start else []
