"""What a network of signals consists of besides junctions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.signals.inputs import Held
from rules.signals.signal import Judgement, Quantity, Source, Timed


class Given(NamedTuple):
    """What the kernel is given for one rule at one time."""

    owner: str
    points: tuple[int, ...]
    values: tuple[float, ...]
    source_ns: int
    gateway_ns: int
    quality: int
    before: Judgement | None = None
    """What was given before; ``None``: nothing yet, or a quantity that needs no evidence but itself."""
    after: Judgement | None = None


@dataclass(slots=True, kw_only=True)
class Cell:
    """A quantity of one point, and where it goes."""

    owner: str
    """Key of the owner of the rule that it is computed for."""
    key: int
    """The point's."""
    quantity: Quantity
    point: int | None
    """The virtual point that is given the quantity; ``None``: a gate stands between, and a junction reads it."""
    last: float = math.nan
    """The quantity as it is; NaN: it could not say yet."""

    @property
    def source(self) -> Source:
        """Return the name by which a junction reads it."""
        return f"{self.owner}/computed"


@dataclass(slots=True, kw_only=True)
class Clockwork:
    """Something timed that junctions read."""

    owner: str
    """Key of the owner of the rule that it is computed for; empty for a schedule, which rules share."""
    source: Source
    timed: Timed
    key: int | None = None
    """Of the point whose samples an event counter takes; ``None`` for others."""

    @property
    def points(self) -> tuple[int, ...]:
        """Return the keys of the points that it reads."""
        return (*self.timed.inputs, *(() if self.key is None else (self.key,)))


@dataclass(slots=True)
class Feed:
    """What hangs on one point."""

    slot: int
    held: Held = field(default_factory=Held)
    cells: list[Cell] = field(default_factory=list)
    counters: list[int] = field(default_factory=list)
    """Places among the clockworks."""
