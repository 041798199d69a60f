"""The table of what happens to changes of rules."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rules.changes.lifecycle import (
    TRANSITIONS,
    ChangeState,
    Happening,
    Refusal,
    Transition,
    advance,
    as_markdown,
)

PAGE = Path(__file__).parents[3] / "docs" / "rule-changes.md"

happenings = st.lists(st.tuples(st.sampled_from(Happening), st.booleans()))


def live(steps: list[tuple[Happening, bool]]) -> list[tuple[Transition | Refusal, ChangeState | None]]:
    """Return what each step takes, and where the change stands afterwards."""
    state: ChangeState | None = None
    taken = []
    for happening, by_author in steps:
        row = advance(state, happening, by_author=by_author)
        state = state if isinstance(row, Refusal) else row.after
        taken.append((row, state))
    return taken


@given(happenings)
def test_nothing_proposed_goes_live_without_somebody_else_who_approves(steps: list[tuple[Happening, bool]]) -> None:
    proposed = False
    for (_, by_author), (row, state) in zip(steps, live(steps), strict=True):
        if isinstance(row, Refusal):
            continue
        proposed = proposed or row.name == "proposed"
        if state is ChangeState.LIVE and proposed and row.name != "superseded":
            assert row.name == "approved"
            assert not by_author


@given(happenings)
def test_what_is_decided_stays_decided(steps: list[tuple[Happening, bool]]) -> None:
    for row, state in live(steps):
        if not isinstance(row, Refusal) and row.before in {ChangeState.REJECTED, ChangeState.WITHDRAWN}:
            raise AssertionError(f"{row.name} leads from {row.before} to {state}")


def test_only_the_author_withdraws_and_nobody_reviews_their_own() -> None:
    proposed = ChangeState.PROPOSED
    assert advance(proposed, Happening.APPROVE, by_author=True) is Refusal.OWN
    assert advance(proposed, Happening.REJECT, by_author=True) is Refusal.OWN
    assert advance(proposed, Happening.WITHDRAW, by_author=False) is Refusal.FOREIGN
    assert advance(ChangeState.LIVE, Happening.APPROVE, by_author=False) is Refusal.DECIDED


def test_every_row_has_a_name_of_its_own_and_is_reached() -> None:
    assert len({row.name for row in TRANSITIONS}) == len(TRANSITIONS)
    reached = {None} | {row.after for row in TRANSITIONS}
    assert {row.before for row in TRANSITIONS} <= reached
    assert set(ChangeState) <= reached


def test_the_page_shows_the_table_as_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.endswith(f"\n\n{as_markdown()}\n"), "put the output of rules.changes.lifecycle.as_markdown there"
