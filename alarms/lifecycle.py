"""The life of an alarm after ISA-18.2, as a table of named rows.

The state has orthogonal regions (active, acknowledged, latched, suppressed); the standard's letter is derived from the
first three. Rows name letters, so the table reads like the standard's figure. The rows' names stand in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Literal, NamedTuple

Letter = Literal["A", "B", "C", "D", "L"]
"""A normal, B unacknowledged, C acknowledged, D returned to normal unacknowledged; L is normal and acknowledged, but
latched until a reset. (The standard leaves the latch to the implementer.)"""


class Signal(StrEnum):
    """What can happen to an alarm: four things come from its rule, two from a person, one from whoever removes it."""

    RAISED = "raised"
    ESCALATED = "escalated"
    EASED = "eased"
    CLEARED = "cleared"
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    RETIRED = "retired"


class Suppression(StrEnum):
    """Why an alarm is not annunciated although it is evaluated all the time."""

    SHELVED = "shelved"
    """By a person, for a limited time and a reason (state E of the standard)."""
    BY_DESIGN = "by_design"
    """By a condition that makes it meaningless (state F)."""
    OUT_OF_SERVICE = "out_of_service"
    """Its equipment is under maintenance (state G)."""


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Where one episode stands."""

    active: bool = False
    """The condition is true."""
    acknowledged: bool = True
    """Someone has seen what is or was active; also true of an alarm at rest."""
    latched: bool = False
    """It stays until a reset."""
    suppressed: frozenset[Suppression] = frozenset()
    """A set, since two reasons that overlap must not release each other."""


NORMAL = AlarmState()
"""Before an episode and after it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How the alarm's rule wants to be treated."""

    acknowledge: bool = True
    """False: it ends by itself when the condition clears."""
    latched: bool = False
    """True: it ends only by a reset, after it is clear and acknowledged, whatever ``acknowledge`` says."""

    @property
    def must_be_seen(self) -> bool:
        """Tell whether nobody having seen it keeps the episode open."""
        return self.acknowledge or self.latched


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of the table."""

    name: str
    before: Letter
    signal: Signal
    after: Letter
    latched: bool | None = None
    """The row is for latched or for other alarms; ``None``: for both."""
    must_be_seen: bool | None = None
    """The row is for alarms that want, or do not want, to be acknowledged; ``None``: for both."""
    meaning: str = field(compare=False)
    """For the documentation."""

    def applies(self, state: AlarmState, signal: Signal, policy: Policy) -> bool:
        """Tell whether this is the row to take."""
        return (
            signal is self.signal
            and isa_letter(state) == self.before
            and self.latched in {None, state.latched}
            and self.must_be_seen in {None, policy.must_be_seen}
        )


class Step(NamedTuple):
    """One row that was taken."""

    transition: str
    """The row's name."""
    state: AlarmState
    opened: bool
    """It began the episode."""
    closed: bool
    """It ended the episode."""


_OPEN: Sequence[Letter] = ("B", "C", "D", "L")

TRANSITIONS: Sequence[Transition] = (
    Transition(
        name="raised",
        before="A",
        signal=Signal.RAISED,
        after="B",
        meaning="the condition held through the on-delay; an episode begins",
    ),
    Transition(
        name="returned",
        before="D",
        signal=Signal.RAISED,
        after="B",
        meaning="it came back before anyone had seen it; still the same episode",
    ),
    Transition(
        name="returned_while_latched",
        before="L",
        signal=Signal.RAISED,
        after="B",
        meaning="it came back before the reset; still the same episode, to be seen again",
    ),
    Transition(
        name="escalated",
        before="B",
        signal=Signal.ESCALATED,
        after="B",
        meaning="an outer limit: more urgent",
    ),
    Transition(
        name="re_alarmed",
        before="C",
        signal=Signal.ESCALATED,
        after="B",
        meaning="an outer limit: more urgent than what was acknowledged, so to be seen again",
    ),
    Transition(
        name="eased",
        before="B",
        signal=Signal.EASED,
        after="B",
        meaning="back inside the outer limit: less urgent",
    ),
    Transition(
        name="eased_acknowledged",
        before="C",
        signal=Signal.EASED,
        after="C",
        meaning="back inside the outer limit: less urgent, and still acknowledged",
    ),
    Transition(
        name="cleared_unseen",
        before="B",
        signal=Signal.CLEARED,
        after="D",
        must_be_seen=True,
        meaning="gone before anyone had seen it; waits for an acknowledgement",
    ),
    Transition(
        name="cleared_by_itself",
        before="B",
        signal=Signal.CLEARED,
        after="A",
        must_be_seen=False,
        meaning="gone, and nobody has to have seen it; the episode ends",
    ),
    Transition(
        name="cleared",
        before="C",
        signal=Signal.CLEARED,
        after="A",
        latched=False,
        meaning="gone after it was acknowledged; the episode ends",
    ),
    Transition(
        name="cleared_to_latch",
        before="C",
        signal=Signal.CLEARED,
        after="L",
        latched=True,
        meaning="gone after it was acknowledged; waits for a reset",
    ),
    Transition(
        name="acknowledged",
        before="B",
        signal=Signal.ACKNOWLEDGE,
        after="C",
        meaning="someone has seen it",
    ),
    Transition(
        name="acknowledged_after_clear",
        before="D",
        signal=Signal.ACKNOWLEDGE,
        after="A",
        latched=False,
        meaning="someone has seen that it was there; the episode ends",
    ),
    Transition(
        name="acknowledged_to_latch",
        before="D",
        signal=Signal.ACKNOWLEDGE,
        after="L",
        latched=True,
        meaning="someone has seen that it was there; waits for a reset",
    ),
    Transition(
        name="reset",
        before="L",
        signal=Signal.RESET,
        after="A",
        meaning="released by hand; the episode ends",
    ),
    *(
        Transition(
            name="retired",
            before=letter,
            signal=Signal.RETIRED,
            after="A",
            meaning="its rule or asset was removed from the site, so nothing can clear it any more; the episode ends",
        )
        for letter in _OPEN
    ),
)
"""Every row; several may share a name where the same thing happens from several states. What is not here does not
happen."""

RETURNS = frozenset(row.name for row in TRANSITIONS if row.signal is Signal.RAISED and row.before != "A")
"""Names of the rows by which a condition comes back within its episode."""

ESCALATIONS = frozenset(row.name for row in TRANSITIONS if row.signal is Signal.ESCALATED)
"""Names of the rows by which an alarm becomes more urgent."""


def isa_letter(state: AlarmState) -> Letter:
    """Return the letter of ISA-18.2's state figure, or L for the latch."""
    if state.active:
        return "C" if state.acknowledged else "B"
    if not state.acknowledged:
        return "D"
    return "L" if state.latched else "A"


@cache  # a few dozen different questions, asked for every transition of a flood
def advance(state: AlarmState, signal: Signal, *, policy: Policy) -> Step | None:
    """Decide what a signal does.

    ``None`` when the table has no row: a rule's signal then changes nothing (it was delivered twice), and a person's
    command is refused.
    """
    for row in TRANSITIONS:
        if row.applies(state, signal, policy):
            return Step(row.name, _after(row, state, policy), opened=row.before == "A", closed=row.after == "A")
    return None


def as_markdown() -> str:
    """Return the table as the documentation shows it."""
    lines = ["| row | from | signal | for | to | meaning |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | {row.before} | {row.signal} | {_audience(row)} | {row.after} | {row.meaning} |"
        for row in TRANSITIONS
    ]
    return "\n".join(lines)


def _after(row: Transition, state: AlarmState, policy: Policy) -> AlarmState:
    return AlarmState(
        active=row.after in {"B", "C"},
        acknowledged=row.after in {"A", "C", "L"},
        latched=row.after != "A" and (state.latched or (row.before == "A" and policy.latched)),
        suppressed=state.suppressed,
    )


def _audience(row: Transition) -> str:
    if row.latched is not None:
        return "latched alarms" if row.latched else "alarms that do not latch"
    if row.must_be_seen is not None:
        return "alarms that want to be acknowledged" if row.must_be_seen else "alarms that end by themselves"
    return "all"
