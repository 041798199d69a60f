"""What a signal is: something computed from points, whose value the kernel holds against limits.

There are three kinds.

- A :class:`Quantity` is of one point: it takes each usable sample in the order of its source's time, and what it
  returns carries the times of that sample. It needs no other point, so it needs no common clock.
- A :class:`Joined` signal is of several inputs as they stand, and runs on the gateway's time.
- A :class:`Timed` signal changes by itself when its time has come.

All of them are functions of what they were given: no clock, no input, no output. What they remember comes back from
history after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias


class Stands(NamedTuple):
    """An input that is 1 while the condition of a rule stands, else 0."""

    owner: str
    """Key of the rule's owner."""


Source: TypeAlias = int | str | Stands
"""An input: a point by its key; whether a rule stands; or what was computed, by a name of its own."""


class Quantity(Protocol):
    """Something computed from one point's samples."""

    @property
    def look_back_ns(self) -> int:
        """How much source time before now, with the sample before it, rebuilds all that it remembers."""
        ...

    def take(self, at_ns: int, value: float) -> float | None:
        """Take the next usable sample; return the quantity, ``None`` while it cannot say."""
        ...


class Judgement(NamedTuple):
    """What a joined signal says."""

    computed: tuple[float, ...]
    """What the kernel is given, one value for each virtual point of the rule."""
    value: float
    """The value that people are shown."""
    limits: tuple[float, ...] = ()
    """The limits as they were, one for each virtual point; empty: those that the rule says."""
    details: tuple[Any, ...] = ()
    """What :meth:`Joined.explain` puts into words, if anybody has to be told."""


class Evidence(NamedTuple):
    """What people are shown of a judgement."""

    value: float
    limits: Mapping[int, float]
    """By virtual point, the limit as it was; empty: those that the rule says."""
    explanation: str


class Joined(Protocol):
    """Something computed from several inputs as they stand at one instant of the gateway."""

    @property
    def inputs(self) -> Sequence[Source]:
        """What it reads."""
        ...

    def judge(self, values: Sequence[float]) -> Judgement | None:
        """Return what the inputs say, in the order of ``inputs``.

        Args:
            values: NaN for a value that is missing.

        Returns:
            ``None`` when missing values leave it open; then the rule stays as it is.
        """
        ...

    def explain(self, judgement: Judgement) -> str:
        """Return in words what made it so; empty when the value says it all."""
        ...


class Timed(Protocol):
    """Something that changes by itself."""

    @property
    def due_ns(self) -> int:
        """Gateway time from which on it has something new to say; ``NEVER`` in :mod:`rules.kernel`: nothing yet."""
        ...

    @property
    def inputs(self) -> Sequence[int]:
        """Points that it looks at when its time has come."""
        ...

    @property
    def look_back_ns(self) -> int:
        """How much gateway time before now rebuilds all that it remembers."""
        ...

    def begin(self, at_ns: int) -> float:
        """Begin, or go on after its past was rebuilt; return the value from then on, NaN while it cannot say."""
        ...

    def reach(self, at_ns: int, values: Sequence[float]) -> float:
        """Come to ``at_ns``, not before ``due_ns``; return the value from then on, NaN while it cannot say.

        Args:
            at_ns: The gateway's time; ``due_ns`` is later when this returns.
            values: Of the points that it looks at as they stand; NaN for a missing one.
        """
        ...
