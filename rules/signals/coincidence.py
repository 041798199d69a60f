"""Several devices in one space that say the same."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from facility.model import Point
from rules.signals.signal import Judgement


class CoincidenceSignal:
    """The largest number of devices in one space whose point is in one of the states."""

    def __init__(self, spaces: Mapping[str, Sequence[Point]], codes: Collection[int], count: int) -> None:
        """Take the devices' points by space.

        Args:
            spaces: Id of the space to one point of each device in it.
            codes: Of the states that count.
            count: How many devices make the condition true.
        """
        points = [point for space in spaces.values() for point in space]
        self.inputs = tuple(point.key for point in points)
        self._devices = tuple(point.asset_id for point in points)
        self._spaces: list[tuple[str, range]] = []
        self._codes = frozenset(map(float, codes))
        self._count = count
        start = 0
        for space, members in spaces.items():
            self._spaces.append((space, range(start, start + len(members))))
            start += len(members)

    def judge(self, values: Sequence[float]) -> Judgement | None:
        """Return the largest number, and where; ``None`` while devices that say nothing could make it enough."""
        most: list[int] = []
        where = ""
        is_open = False
        for space, places in self._spaces:
            found = [place for place in places if values[place] in self._codes]
            missing = sum(math.isnan(values[place]) for place in places)
            is_open |= len(found) < self._count <= len(found) + missing
            if len(found) > len(most):
                most, where = found, space
        if is_open and len(most) < self._count:
            return None
        number = float(len(most))
        return Judgement(computed=(number,), value=number, details=(where, *(self._devices[place] for place in most)))

    def explain(self, judgement: Judgement) -> str:
        """Return the space and its devices."""
        space, *devices = judgement.details
        return f"{space}: {', '.join(devices)}" if devices else ""
