"""People propose, review, withdraw and roll back in any order while site files come in; a model says what must be."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine

from facility.errors import (
    ConfigurationError,
    ForbiddenError,
    InvalidCommandError,
    NotFoundError,
    StaleCommandError,
    WatchkeeperError,
)
from facility.storage.database import metadata, open_database, reading
from facility.storage.outbox import Topic
from people.journal import journal_of
from rules.changes import repository
from rules.changes.model import RuleChange
from tests.databases import emptied
from tests.rules.changes.house import CLASS_LIMIT, OFF, House, limit_of, site_text

FILE_RULES = ("pump-1/vibration_high", "pump-2/vibration_high")
ADDED = "pump-1/vibration_very_high"
PEOPLE = ("ada", "bo", "cy")
EXAMPLES = {"sqlite": 30, "postgresql": 8}

Said = float | str | None
"""What a site file writes about a pump's rule: a limit, ``off``, or nothing."""

people = st.sampled_from(PEOPLE)
limits = st.sampled_from([CLASS_LIMIT, 5.0, 5.5, None])
written = st.sampled_from([None, 5.0, OFF])
wishes = st.dictionaries(st.sampled_from([*FILE_RULES, ADDED]), limits, min_size=1)


def meant(wish: Said) -> float | None:
    """Return the limit that a file's word stands for; ``None``: off."""
    if wish is None:
        return CLASS_LIMIT
    return wish if isinstance(wish, float) else None


@dataclass
class Proposal:
    """What somebody proposed, as the model remembers it."""

    change: RuleChange
    author: str
    wanted: dict[str, float | None]
    base: dict[str, int]
    state: str = "proposed"


@dataclass
class Model:
    """What must be true after any sequence of steps."""

    revisions: dict[str, list[float | None]] = field(
        default_factory=lambda: {address: [CLASS_LIMIT] for address in FILE_RULES}
    )
    """By rule, what was live as each revision, from 1; the last is live."""
    by: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0]))
    """By rule, which change each revision came with; 0: none."""
    said: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(FILE_RULES, CLASS_LIMIT))
    """What the site file said last; ``None``: off or gone."""
    second_pump: bool = True

    def live(self, address: str) -> float | None:
        return self.revisions.get(address, [None])[-1]

    def number(self, address: str) -> int:
        return len(self.revisions.get(address, []))

    def has_asset(self, address: str) -> bool:
        return self.second_pump or not address.startswith("pump-2")

    def decide(self, address: str, limit: float | None, change_id: int) -> None:
        if address not in self.revisions:
            self.revisions[address], self.by[address] = [], []
        self.revisions[address].append(limit)
        self.by[address].append(change_id)

    def live_changes(self) -> set[int]:
        return {self.by[address][-1] for address in self.revisions}


class ManyHands(RuleBasedStateMachine):
    """Steps of people and of the site file, each held against the model."""

    def __init__(self, database: Engine) -> None:
        super().__init__()
        self.house = House(database)
        self.model = Model()
        self.proposals: list[Proposal] = []

    def expect(self, error: type[WatchkeeperError] | None, step: Callable[[], Any]) -> Any:  # noqa: ANN401
        if error is None:
            return step()
        with pytest.raises(error):
            step()
        return None

    @rule(person=people, wanted=wishes)
    def propose(self, person: str, wanted: dict[str, float | None]) -> None:
        model = self.model
        changes_all = all(model.live(address) != limit for address, limit in wanted.items())
        error = None if changes_all and all(map(model.has_asset, wanted)) else ConfigurationError
        revisions = [self.house.wanted(address, limit) for address, limit in wanted.items()]
        change = self.expect(error, lambda: self.house.propose(person, *revisions))
        if change is not None:
            base = {address: model.number(address) for address in wanted}
            self.proposals.append(Proposal(change, person, wanted, base))

    @precondition(lambda self: self.proposals)
    @rule(person=people, data=st.data())
    def approve(self, person: str, data: st.DataObject) -> None:
        proposal = data.draw(st.sampled_from(self.proposals))
        decided = self.expect(self.refusal(proposal, person), lambda: self.house.approve(person, proposal.change))
        if decided is not None:
            proposal.state = "live"
            for address, limit in proposal.wanted.items():
                self.model.decide(address, limit, proposal.change.id)

    def refusal(self, proposal: Proposal, person: str) -> type[WatchkeeperError] | None:
        if proposal.state != "proposed":
            return StaleCommandError
        if person == proposal.author:
            return ForbiddenError
        if any(self.model.number(address) != base for address, base in proposal.base.items()):
            return StaleCommandError
        return None if all(map(self.model.has_asset, proposal.wanted)) else ConfigurationError

    @precondition(lambda self: self.proposals)
    @rule(person=people, data=st.data())
    def reject(self, person: str, data: st.DataObject) -> None:
        proposal = data.draw(st.sampled_from(self.proposals))
        if self.expect(
            self.no_say(proposal, mine=person != proposal.author), lambda: self.house.reject(person, proposal.change)
        ):
            proposal.state = "rejected"

    @precondition(lambda self: self.proposals)
    @rule(person=people, data=st.data())
    def withdraw(self, person: str, data: st.DataObject) -> None:
        proposal = data.draw(st.sampled_from(self.proposals))
        if self.expect(
            self.no_say(proposal, mine=person == proposal.author), lambda: self.house.withdraw(person, proposal.change)
        ):
            proposal.state = "withdrawn"

    def no_say(self, proposal: Proposal, *, mine: bool) -> type[WatchkeeperError] | None:
        """Return what refuses a person who wants to reject or withdraw; ``mine``: it is theirs to do."""
        if proposal.state != "proposed":
            return StaleCommandError
        return None if mine else ForbiddenError

    @rule(person=people, data=st.data())
    def roll_back(self, person: str, data: st.DataObject) -> None:
        model = self.model
        address = data.draw(st.sampled_from(sorted(model.revisions)))
        number = data.draw(st.integers(1, model.number(address) + 1))
        error: type[WatchkeeperError] | None = None
        if number > model.number(address):
            error = NotFoundError
        elif model.revisions[address][number - 1] == model.live(address):
            error = InvalidCommandError
        elif not model.has_asset(address):
            error = ConfigurationError
        decided = self.expect(error, lambda: self.house.roll_back(person, address, to=number))
        if decided is not None:
            model.decide(address, model.revisions[address][number - 1], decided.change.id)

    @rule(person=people, first=written, second=written, second_pump=st.booleans())
    def import_site(self, person: str, first: Said, second: Said, *, second_pump: bool) -> None:
        model, model.second_pump = self.model, second_pump
        pumps = {"pump-1": first} | ({"pump-2": second} if second_pump else {})
        change = self.house.import_site(site_text(pumps), author=person)
        decided = []
        for address, wish in zip(FILE_RULES, (first, second), strict=True):
            says = meant(wish) if model.has_asset(address) else None
            if (says != model.said[address] or not model.has_asset(address)) and says != model.live(address):
                decided.append((address, says))
            model.said[address] = says
        assert self.told(change) == {address for address, _ in decided}
        for address, says in decided:
            assert change is not None
            model.decide(address, says, change.id)

    def told(self, change: RuleChange | None) -> set[str]:
        """Return which of the model's rules a change is about; a pump has more of them."""
        if change is None:
            return set()
        with reading(self.house.database) as connection:
            revisions = repository.revisions_of_change(connection, change.id)
        return {f"{each.asset_id}/{each.name}" for each in revisions} & {*FILE_RULES, ADDED}

    @invariant()
    def a_rule_is_what_was_decided_last(self) -> None:
        for address, revisions in self.model.revisions.items():
            live = self.house.live(address)
            assert (limit_of(live.now), live.revision) == (revisions[-1], len(revisions))
        assert self.house.find(ADDED) is None or ADDED in self.model.revisions

    @invariant()
    def the_running_site_is_the_one_that_a_start_would_load(self) -> None:
        assert self.house.facility == self.house.loaded()

    @invariant()
    def changes_stand_where_their_last_step_left_them(self) -> None:
        live = self.model.live_changes()
        with reading(self.house.database) as connection:
            found, _ = repository.change_page(connection, state=None, limit=1_000, offset=0)
            for change in found:
                names = [line.transition for line in journal_of(connection, Topic.RULE_CHANGE, change.id)]
                assert len(names) == change.version
        states = {change.id: change.state.value for change in found}
        assert live - {0} <= {each for each, state in states.items() if state == "live"}
        for proposal in self.proposals:
            told = states.pop(proposal.change.id)
            assert told == proposal.state or (proposal.state == "live" and told == "superseded")

    def teardown(self) -> None:
        """Nothing is lost: every revision that ever was can be read again."""
        with reading(self.house.database) as connection:
            for address, revisions in self.model.revisions.items():
                live = self.house.live(address)
                told = [
                    limit_of(repository.definition_at(connection, live, number))
                    for number in range(1, len(revisions) + 1)
                ]
                assert told == revisions


def run(open_new: Callable[[], Engine], examples: int) -> None:
    class Machine(ManyHands):
        def __init__(self) -> None:
            super().__init__(open_new())

    # Explaining a failure would trace every line of the database's driver.
    phases = (Phase.generate, Phase.shrink)
    run_state_machine_as_test(Machine, settings=settings(max_examples=examples, stateful_step_count=15, phases=phases))


def test_a_rule_is_always_what_was_decided_last_whoever_does_what_in_which_order() -> None:
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(10_000))

        def open_new() -> Engine:
            database = open_database(f"sqlite:///{Path(folder) / f'{next(numbers)}.db'}")
            metadata.create_all(database)
            return database

        run(open_new, EXAMPLES["sqlite"])


def test_on_postgresql_it_is_the_same(postgres_tables: Engine) -> None:
    run(lambda: emptied(postgres_tables), EXAMPLES["postgresql"])
