"""The life of a command as a table of named rows; the rows' names stand in the journal.

What is not in the table does not happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class CommandState(StrEnum):
    """Where a command stands."""

    REQUESTED = "requested"
    """Written down, and nothing sent yet."""
    SENT = "sent"
    """On its way: the device may have it, and has not shown it yet."""
    CONFIRMED = "confirmed"
    """The device shows it; it holds the point until it expires, is taken back or replaced."""
    EXPIRING = "expiring"
    """Its time is over; being taken back from the device."""
    RETURNING = "returning"
    """Somebody took it back; being taken back from the device."""
    FAILING = "failing"
    """The device did not show it; being taken back, since it may still have arrived."""
    EXPIRED = "expired"
    RELINQUISHED = "relinquished"
    SUPERSEDED = "superseded"
    """A later command took its place."""
    REFUSED = "refused"
    """The device said no; nothing changed there."""
    FAILED = "failed"


IN_FLIGHT: Final = frozenset({CommandState.REQUESTED, CommandState.SENT})
"""On the way to the device: nobody else may command the point."""
RELEASING: Final = frozenset({CommandState.EXPIRING, CommandState.RETURNING, CommandState.FAILING})
"""On the way back from the device: nobody else may command the point."""
ENDED: Final = frozenset(CommandState) - IN_FLIGHT - RELEASING - {CommandState.CONFIRMED}


class Happening(StrEnum):
    """What can happen to a command."""

    REQUEST = "request"
    SEND = "send"
    LAPSE = "lapse"
    """Nobody sent it in time."""
    SHOW = "show"
    """The device shows the value."""
    DISOBEY = "disobey"
    """The device shows another value."""
    SILENCE = "silence"
    """No answer from the device."""
    REFUSE = "refuse"
    """The device says no."""
    EXPIRE = "expire"
    TAKE_BACK = "take_back"
    SUPERSEDE = "supersede"
    RELEASE = "release"
    """Taken back from the device, or there is nothing to take back with."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table."""

    name: str
    before: CommandState | None
    """``None``: there is no command yet."""
    happening: Happening
    after: CommandState
    meaning: str
    """For the documentation."""


_S, _H = CommandState, Happening

TRANSITIONS: Final[Sequence[Transition]] = (
    Transition(
        "requested", None, _H.REQUEST, _S.REQUESTED, "somebody asks; it is written down before anything is sent"
    ),
    Transition("lapsed", _S.REQUESTED, _H.LAPSE, _S.FAILED, "no gateway took it in time; it was never sent"),
    Transition("sent", _S.REQUESTED, _H.SEND, _S.SENT, "the gateway begins to write"),
    Transition("confirmed", _S.SENT, _H.SHOW, _S.CONFIRMED, "the device shows the value"),
    Transition("not_shown", _S.SENT, _H.DISOBEY, _S.FAILING, "the device shows another value"),
    Transition("unanswered", _S.SENT, _H.SILENCE, _S.FAILING, "no answer, so nobody knows whether it arrived"),
    Transition("refused", _S.SENT, _H.REFUSE, _S.REFUSED, "the device says no"),
    Transition("time_over", _S.CONFIRMED, _H.EXPIRE, _S.EXPIRING, "its time is over"),
    Transition("taken_back", _S.CONFIRMED, _H.TAKE_BACK, _S.RETURNING, "somebody takes it back"),
    Transition("superseded", _S.CONFIRMED, _H.SUPERSEDE, _S.SUPERSEDED, "a later command takes its place"),
    Transition("expired", _S.EXPIRING, _H.RELEASE, _S.EXPIRED, "the device has been let go"),
    Transition("relinquished", _S.RETURNING, _H.RELEASE, _S.RELINQUISHED, "the device has been let go"),
    Transition("failed", _S.FAILING, _H.RELEASE, _S.FAILED, "what may have arrived has been taken back"),
    *(
        Transition("held_by_silence", state, _H.SILENCE, state, "no answer; tried again until there is one")
        for state in (_S.EXPIRING, _S.RETURNING, _S.FAILING)
    ),
    *(
        Transition("not_let_go", state, _H.REFUSE, _S.FAILED, "the device refuses to be let go: look at it")
        for state in (_S.EXPIRING, _S.RETURNING, _S.FAILING)
    ),
)
"""Every row; several may share a name where the same thing happens from several states."""

_BY_CAUSE: Final = {(row.before, row.happening): row for row in TRANSITIONS}


def advance(state: CommandState | None, happening: Happening) -> Transition | None:
    """Return the row to take; ``None`` when it does not happen to a command in ``state``."""
    return _BY_CAUSE.get((state, happening))


def as_markdown() -> str:
    """Return the table as the documentation shows it."""
    lines = ["| row | from | what happens | to | meaning |", "|---|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | {row.before or 'new'} | {row.happening} | {row.after} | {row.meaning} |"
        for row in TRANSITIONS
    ]
    return "\n".join(lines)
