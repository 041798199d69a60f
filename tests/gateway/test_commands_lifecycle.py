"""A command's life: every command ends, and a device that may have been told is let go."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.lifecycle import (
    ENDED,
    IN_FLIGHT,
    RELEASING,
    TRANSITIONS,
    CommandState,
    Happening,
    advance,
    as_markdown,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"


def life(happenings: list[Happening]) -> list[CommandState]:
    """Return the states that a command passes; what does not happen to it changes nothing."""
    state = CommandState.REQUESTED
    passed = [state]
    for happening in happenings:
        row = advance(state, happening)
        if row is not None:
            state = row.after
            passed.append(state)
    return passed


@given(st.lists(st.sampled_from(Happening), max_size=30))
def test_a_command_that_is_over_stays_over(happenings: list[Happening]) -> None:
    passed = life(happenings)
    ends = [place for place, state in enumerate(passed) if state in ENDED]
    assert ends in ([], [len(passed) - 1])


@given(st.lists(st.sampled_from(Happening), max_size=30))
def test_a_device_that_may_have_been_told_is_let_go_replaced_or_has_refused(happenings: list[Happening]) -> None:
    passed = life(happenings)
    if CommandState.SENT not in passed or passed[-1] not in ENDED:
        return
    assert passed[-1] in {CommandState.REFUSED, CommandState.SUPERSEDED} or not RELEASING.isdisjoint(passed)


def test_from_every_state_there_is_a_way_to_the_end() -> None:
    ending = set(ENDED)
    while True:
        reached = {row.before for row in TRANSITIONS if row.after in ending and row.before} - ending
        if not reached:
            break
        ending |= reached
    assert ending == set(CommandState)


def test_every_state_is_of_one_kind_only_and_no_two_rows_answer_to_one_happening() -> None:
    kinds = [IN_FLIGHT, RELEASING, ENDED, frozenset({CommandState.CONFIRMED})]
    assert sorted(state for kind in kinds for state in kind) == sorted(CommandState)
    causes = [(row.before, row.happening) for row in TRANSITIONS]
    assert len(causes) == len(set(causes))


def test_the_documentation_shows_the_table_as_it_is() -> None:
    assert as_markdown() in DOCUMENT.read_text(encoding="utf-8")
