"""Where the inputs of one rule meet: its signal, its gate, and what it said last."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rules.signals.signal import Joined, Judgement, Source

Gate: TypeAlias = Callable[[Sequence[float]], bool | None]
"""Tells from its inputs whether a rule is watched; ``None`` when missing values leave it open."""


@dataclass(slots=True, kw_only=True)
class Junction:
    """One rule that is decided on several inputs."""

    owner: str
    """Key of the rule's owner."""
    points: tuple[int, ...]
    """Keys of its virtual points."""
    signal: Joined
    gate: Gate | None = None
    """``None``: it is always watched."""
    gate_inputs: tuple[Source, ...] = ()
    level: int = 0
    """0: it reads no other rule; otherwise one more than the highest among the rules that it reads."""
    said: Judgement | None = None
    """What the kernel was given last; ``None``: nothing yet."""
    slots: list[int] = field(default_factory=list)
    """Places of the signal's inputs among all values; filled in by the network."""
    gate_slots: list[int] = field(default_factory=list)
    """Places of the gate's inputs."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return all that it reads."""
        return (*self.signal.inputs, *self.gate_inputs)

    def judge(self, values: Sequence[float], *, insists: bool) -> Judgement | None:
        """Return what is to be given to the kernel; ``None``: nothing, it goes on as it is.

        Args:
            values: Of all sources.
            insists: Also if it is what was given last.
        """
        judgement = self._judged(values)
        return None if judgement == self.said and not insists else judgement

    def settle(self, values: Sequence[float]) -> None:
        """Note what the inputs say after a restart without telling the kernel, which knows it already."""
        self.said = self._judged(values)

    def _judged(self, values: Sequence[float]) -> Judgement | None:
        is_watched = True if self.gate is None else self.gate([values[slot] for slot in self.gate_slots])
        if is_watched is None:
            return None
        if not is_watched:
            return Judgement(computed=(math.nan,) * len(self.points), value=math.nan)
        return self.signal.judge([values[slot] for slot in self.slots])


def is_void(judgement: Judgement) -> bool:
    """Tell whether a judgement says that there is nothing to judge."""
    return all(map(math.isnan, judgement.computed))
