"""The life of a change of rules as a table of named rows; the rows' names stand in the journal.

What is not in the table does not happen. All revisions of a change are live together or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ChangeState(StrEnum):
    """Where a change stands."""

    PROPOSED = "proposed"
    """Waits for a second engineer; nothing is different yet."""
    LIVE = "live"
    """At least one of its revisions is what its rule does now."""
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    """It was live, and all of its rules were decided about again since."""


class Happening(StrEnum):
    """What can happen to a change."""

    PROPOSE = "propose"
    APPLY = "apply"
    """The site file changed a rule, or removed its asset."""
    ROLL_BACK = "roll_back"
    """Somebody makes an earlier revision live again."""
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    SUPERSEDE = "supersede"


class Actor(StrEnum):
    """Who may let it happen, besides what their role allows."""

    ANYONE = "anyone"
    AUTHOR = "its author"
    SECOND = "somebody else"
    """A person who is not the author: two pairs of eyes."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table."""

    name: str
    before: ChangeState | None
    """``None``: there is no change yet."""
    happening: Happening
    actor: Actor
    after: ChangeState
    meaning: str
    """For the documentation."""


class Refusal(StrEnum):
    """Why a row is not taken."""

    DECIDED = "decided"
    """The change is not in a state in which this happens: somebody was faster."""
    OWN = "own"
    """Nobody reviews what they proposed themselves."""
    FOREIGN = "foreign"
    """Only the author takes it back."""


_S, _H, _A = ChangeState, Happening, Actor

TRANSITIONS: Final[Sequence[Transition]] = (
    Transition("proposed", None, _H.PROPOSE, _A.ANYONE, _S.PROPOSED, "an engineer wants it, and says why"),
    Transition("applied", None, _H.APPLY, _A.ANYONE, _S.LIVE, "the site file says something else than last time"),
    Transition("rolled_back", None, _H.ROLL_BACK, _A.ANYONE, _S.LIVE, "a revision that was live once is live again"),
    Transition("approved", _S.PROPOSED, _H.APPROVE, _A.SECOND, _S.LIVE, "a second engineer agrees; all of it is live"),
    Transition("rejected", _S.PROPOSED, _H.REJECT, _A.SECOND, _S.REJECTED, "a second engineer says no, and why"),
    Transition("withdrawn", _S.PROPOSED, _H.WITHDRAW, _A.AUTHOR, _S.WITHDRAWN, "the author no longer wants it"),
    Transition(
        "superseded", _S.LIVE, _H.SUPERSEDE, _A.ANYONE, _S.SUPERSEDED, "the last of its rules was decided about again"
    ),
)
"""Every row."""

_BY_CAUSE: Final = {(row.before, row.happening): row for row in TRANSITIONS}


def advance(state: ChangeState | None, happening: Happening, *, by_author: bool) -> Transition | Refusal:
    """Return the row to take, or why there is none.

    Args:
        state: Of the change; ``None``: it is about to begin.
        happening: What somebody wants, or what follows from something else.
        by_author: Whoever does it also proposed the change.
    """
    row = _BY_CAUSE.get((state, happening))
    if row is None:
        return Refusal.DECIDED
    if row.actor is Actor.SECOND and by_author:
        return Refusal.OWN
    if row.actor is Actor.AUTHOR and not by_author:
        return Refusal.FOREIGN
    return row


def as_markdown() -> str:
    """Return the table as the documentation shows it."""
    lines = ["| row | from | what happens | by | to | meaning |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | {row.before or 'new'} | {row.happening} | {row.actor} | {row.after} | {row.meaning} |"
        for row in TRANSITIONS
    ]
    return "\n".join(lines)
