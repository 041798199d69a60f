from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.exc import IntegrityError

from alarms import repository, service
from alarms.events import AlarmEvent
from alarms.model import Alarm
from alarms.tables import alarm_episode
from facility.errors import InvalidCommandError, NotFoundError, StaleCommandError, WatchkeeperError
from facility.priority import Priority
from facility.storage.database import reading
from facility.storage.outbox import Topic, announcements_after
from people.journal import journal_of
from people.model import Account, Role
from rules.events import Reason, RuleTransition, TransitionKind
from tests.databases import employ
from tests.facilities import BEARING_HIGH, HELD_OPEN, SEAL_LEAK, SMOKE, small_facility

FACILITY = small_facility()
RAISED, ESCALATED, EASED, CLEARED = TransitionKind


def transition(
    rule_id: int, kind: TransitionKind, *, at_ns: int = 100, priority: Priority | None = None, value: float = 91.5
) -> RuleTransition:
    return RuleTransition(
        rule_id=rule_id,
        kind=kind,
        reason=Reason.NORMAL if kind is CLEARED else Reason.HIGH,
        priority=priority or FACILITY.rules[rule_id].definition.priority,
        at_ns=at_ns,
        since_ns=at_ns - 50,
        value=value,
        limit=80.0,
    )


@pytest.fixture
def operator(database: Engine) -> Account:
    with database.begin() as connection:
        return employ(connection, Role.OPERATOR)


def apply(database: Engine, *transitions: RuleTransition, now_ns: int = 1_000) -> list[AlarmEvent]:
    with database.begin() as connection:
        return service.apply_transitions(connection, FACILITY, transitions, now_ns=now_ns)


def standing(database: Engine) -> list[Alarm]:
    with reading(database) as connection:
        return repository.open_alarms(connection)


def acknowledge(database: Engine, alarm: Alarm, actor: Account, comment: str = "on my way") -> Alarm:
    with database.begin() as connection:
        return service.acknowledge(
            connection, FACILITY, alarm.id, version=alarm.version, comment=comment, actor=actor, now_ns=2_000
        )


def reset(database: Engine, alarm: Alarm, actor: Account) -> Alarm:
    with database.begin() as connection:
        return service.reset(connection, FACILITY, alarm.id, version=alarm.version, actor=actor, now_ns=3_000)


@pytest.mark.usefixtures("operator")
def test_a_hot_bearing_opens_one_episode_that_says_since_when_and_how_hot(database: Engine) -> None:
    [event] = apply(database, transition(BEARING_HIGH, RAISED))
    [alarm] = standing(database)
    assert event == AlarmEvent(
        alarm_id=alarm.id,
        rule_id=BEARING_HIGH,
        asset_id="pump-1",
        transition="raised",
        opened=True,
        closed=False,
        active=True,
        acknowledged=False,
        priority=Priority.MEDIUM,
        at_ns=100,
    )
    assert (alarm.state, alarm.since_ns, alarm.raised_at_ns, alarm.value, alarm.limit) == ("B", 50, 100, 91.5, 80.0)
    with reading(database) as connection:
        [line] = journal_of(connection, Topic.ALARM, alarm.id)
        [told] = announcements_after(connection, 0)
    assert (line.transition, line.actor, line.at_ns) == ("raised", "Watchkeeper", 100)
    assert line.evidence == {"reason": "high", "priority": 3, "value": 91.5, "limit": 80.0, "since_ns": 50}
    assert (told.topic, told.entity_id, told.at_ns) == (Topic.ALARM, alarm.id, 1_000)


@pytest.mark.usefixtures("operator")
def test_a_batch_that_is_delivered_twice_changes_nothing_the_second_time(database: Engine) -> None:
    batch = [
        transition(BEARING_HIGH, RAISED),
        transition(SMOKE, RAISED),
        transition(HELD_OPEN, RAISED),
        transition(HELD_OPEN, CLEARED),
    ]
    apply(database, *batch)
    before = standing(database)
    assert apply(database, *batch[:2], batch[3]) == []
    assert standing(database) == before


@pytest.mark.usefixtures("operator")
def test_what_clears_without_having_been_raised_is_nothing(database: Engine) -> None:
    assert apply(database, transition(BEARING_HIGH, CLEARED)) == []
    assert apply(database) == []
    assert standing(database) == []


@pytest.mark.usefixtures("operator")
def test_several_transitions_of_one_rule_in_one_batch_are_taken_in_order(database: Engine) -> None:
    leak = [transition(SEAL_LEAK, kind) for kind in (RAISED, CLEARED, RAISED, CLEARED, RAISED)]
    events = apply(database, *leak)
    assert [event.transition for event in events] == ["raised", "cleared_by_itself"] * 2 + ["raised"]
    assert len({event.alarm_id for event in events}) == 3
    assert [alarm.id for alarm in standing(database)] == [events[-1].alarm_id]


@pytest.mark.usefixtures("operator")
def test_events_come_in_the_order_of_the_transitions(database: Engine) -> None:
    events = apply(
        database,
        transition(BEARING_HIGH, RAISED, at_ns=100),
        transition(HELD_OPEN, RAISED, at_ns=110),
        transition(BEARING_HIGH, ESCALATED, at_ns=120, priority=Priority.CRITICAL),
    )
    assert [event.at_ns for event in events] == [100, 110, 120]


@pytest.mark.usefixtures("operator")
def test_missing_data_has_no_value(database: Engine) -> None:
    apply(database, transition(BEARING_HIGH, RAISED, value=math.nan))
    assert standing(database)[0].value is None


def test_escalation_asks_again_and_easing_lowers_the_priority_without_asking(
    database: Engine, operator: Account
) -> None:
    apply(database, transition(BEARING_HIGH, RAISED))
    acknowledge(database, standing(database)[0], operator)
    [event] = apply(database, transition(BEARING_HIGH, ESCALATED, priority=Priority.CRITICAL))
    assert event.transition == "re_alarmed"
    [alarm] = standing(database)
    assert (alarm.state, alarm.priority, alarm.acknowledged_by) == ("B", Priority.CRITICAL, None)
    assert apply(database, transition(BEARING_HIGH, ESCALATED, priority=Priority.CRITICAL)) == []
    acknowledge(database, alarm, operator)
    [event] = apply(database, transition(BEARING_HIGH, EASED))
    assert event.transition == "eased_acknowledged"
    [alarm] = standing(database)
    assert (alarm.state, alarm.priority, alarm.acknowledged_by) == ("C", Priority.MEDIUM, "Operator")


@pytest.mark.usefixtures("operator")
def test_an_escalation_whose_raise_was_lost_still_raises(database: Engine) -> None:
    [event] = apply(database, transition(BEARING_HIGH, ESCALATED, priority=Priority.CRITICAL))
    assert (event.transition, event.priority) == ("raised", Priority.CRITICAL)


def test_a_fire_alarm_stays_until_it_is_clear_acknowledged_and_reset(database: Engine, operator: Account) -> None:
    apply(database, transition(SMOKE, RAISED))
    with pytest.raises(InvalidCommandError, match="still active"):
        reset(database, standing(database)[0], operator)
    apply(database, transition(SMOKE, CLEARED, at_ns=200))
    with pytest.raises(InvalidCommandError, match="not been acknowledged"):
        reset(database, standing(database)[0], operator)
    latched = acknowledge(database, standing(database)[0], operator)
    assert (latched.state, latched.closed_at_ns) == ("L", None)
    closed = reset(database, latched, operator)
    assert (closed.state, closed.cleared_at_ns, closed.closed_at_ns) == ("A", 200, 3_000)
    with pytest.raises(StaleCommandError, match=r"reset \(Operator\)"):
        reset(database, closed, operator)
    with reading(database) as connection:
        lines = journal_of(connection, Topic.ALARM, closed.id)
    assert [(line.transition, line.actor, line.comment) for line in lines] == [
        ("raised", "Watchkeeper", None),
        ("cleared_unseen", "Watchkeeper", None),
        ("acknowledged_to_latch", "Operator", "on my way"),
        ("reset", "Operator", None),
    ]


def test_an_alarm_that_does_not_latch_cannot_be_reset(database: Engine, operator: Account) -> None:
    apply(database, transition(HELD_OPEN, RAISED))
    with pytest.raises(InvalidCommandError, match="does not latch"):
        reset(database, standing(database)[0], operator)


def test_priority_one_wants_a_word_about_what_is_being_done(database: Engine, operator: Account) -> None:
    apply(database, transition(SMOKE, RAISED))
    with pytest.raises(InvalidCommandError, match="comment"):
        acknowledge(database, standing(database)[0], operator, comment="  ")
    assert standing(database)[0].state == "B"


def test_an_acknowledgement_of_what_has_changed_since_is_refused_and_undoes_nothing(
    database: Engine, operator: Account
) -> None:
    apply(database, transition(BEARING_HIGH, RAISED))
    [seen] = standing(database)
    apply(database, transition(BEARING_HIGH, CLEARED, at_ns=300))
    with pytest.raises(StaleCommandError, match=r"cleared unseen \(Watchkeeper\)"):
        acknowledge(database, seen, operator)
    [alarm] = standing(database)
    assert (alarm.state, alarm.cleared_at_ns) == ("D", 300)


def test_who_comes_second_learns_who_was_first(database: Engine, operator: Account) -> None:
    apply(database, transition(BEARING_HIGH, RAISED))
    first = acknowledge(database, standing(database)[0], operator)
    with pytest.raises(StaleCommandError, match=r"acknowledged \(Operator\)"):
        acknowledge(database, first, operator)
    with database.begin() as connection, pytest.raises(NotFoundError, match="no alarm 99"):
        service.reset(connection, FACILITY, 99, version=1, actor=operator, now_ns=0)


@pytest.mark.usefixtures("operator")
def test_the_database_itself_refuses_a_second_open_episode_of_a_rule(database: Engine) -> None:
    apply(database, transition(BEARING_HIGH, RAISED))
    with reading(database) as connection:
        row = dict(connection.execute(alarm_episode.select()).mappings().one()) | {"id": 77}
    with database.begin() as connection, pytest.raises(IntegrityError):
        connection.execute(insert(alarm_episode).values(row))


@pytest.mark.usefixtures("operator")
def test_a_page_shows_the_most_urgent_and_newest_first(database: Engine) -> None:
    apply(
        database,
        transition(HELD_OPEN, RAISED, at_ns=300),
        transition(BEARING_HIGH, RAISED, at_ns=100),
        transition(SEAL_LEAK, RAISED, at_ns=100),
        transition(SEAL_LEAK, CLEARED, at_ns=150),
        transition(SEAL_LEAK, RAISED, at_ns=200),
    )
    with reading(database) as connection:
        everything, total = repository.alarm_page(
            connection, open_only=False, rule_ids=None, priority=None, limit=3, offset=0
        )
        leaks, of_leaks = repository.alarm_page(
            connection, open_only=True, rule_ids={SEAL_LEAK}, priority=Priority.HIGH, limit=9, offset=0
        )
        by_id = repository.alarms_by_id(connection, [everything[0].id, 99, everything[0].id])
    assert [(alarm.rule_id, alarm.raised_at_ns) for alarm in everything] == [
        (SEAL_LEAK, 200),
        (SEAL_LEAK, 100),
        (BEARING_HIGH, 100),
    ]
    assert (total, of_leaks, by_id) == (4, 1, [leaks[0]])


@pytest.mark.usefixtures("operator")
def test_a_page_can_be_of_more_rules_than_a_statement_takes_parameters(database: Engine) -> None:
    apply(database, transition(HELD_OPEN, RAISED), transition(SEAL_LEAK, RAISED))
    with reading(database) as connection:
        pages = [
            repository.alarm_page(connection, open_only=True, rule_ids=rules, priority=None, limit=9, offset=0)
            for rules in (range(SEAL_LEAK + 1, 70_000), ())
        ]
    assert [[alarm.rule_id for alarm in page] for page, _ in pages] == [[HELD_OPEN], []]
    assert [total for _, total in pages] == [1, 0]


@pytest.mark.usefixtures("operator")
def test_the_alarm_of_a_removed_rule_ends_and_the_others_stand(database: Engine) -> None:
    apply(database, transition(BEARING_HIGH, RAISED), transition(SMOKE, RAISED), transition(HELD_OPEN, RAISED))
    smaller = replace(FACILITY, rules={HELD_OPEN: FACILITY.rules[HELD_OPEN]}, archive=FACILITY)
    with database.begin() as connection:
        events = service.retire(connection, smaller, now_ns=5_000)
        assert service.retire(connection, smaller, now_ns=6_000) == []
    assert {(event.rule_id, event.transition, event.closed) for event in events} == {
        (BEARING_HIGH, "retired", True),
        (SMOKE, "retired", True),
    }
    assert [alarm.rule_id for alarm in standing(database)] == [HELD_OPEN]
    with reading(database) as connection:
        told = announcements_after(connection, 0)[-2:]
        assert {one.entity_id for one in told} == {event.alarm_id for event in events}
        for event in events:
            closed = repository.alarm(connection, event.alarm_id)
            assert (closed.state, closed.closed_at_ns, closed.cleared_at_ns) == ("A", 5_000, None)
            assert journal_of(connection, Topic.ALARM, event.alarm_id)[-1].transition == "retired"


def test_of_two_people_who_acknowledge_at_once_exactly_one_does(database: Engine, operator: Account) -> None:
    apply(database, transition(BEARING_HIGH, RAISED))
    [alarm] = standing(database)
    results = at_once(lambda: acknowledge(database, alarm, operator), lambda: acknowledge(database, alarm, operator))
    assert sorted(type(result).__name__ for result in results) == ["Alarm", "StaleCommandError"]
    with reading(database) as connection:
        assert len(journal_of(connection, Topic.ALARM, alarm.id)) == 2


def at_once(*commands: Callable[[], object]) -> list[object]:
    """Run the commands on threads of their own that start together; return results and errors."""
    gate = threading.Barrier(len(commands))
    results: list[object] = []

    def run(command: Callable[[], object]) -> None:
        gate.wait()
        try:
            results.append(command())
        except WatchkeeperError as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(command,)) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
