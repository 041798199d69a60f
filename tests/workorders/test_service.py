from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine

from alarms.events import AlarmEvent
from alarms.service import apply_transitions
from facility.equipment import OrderKind
from facility.errors import InvalidCommandError, NotFoundError, StaleCommandError
from facility.priority import Priority
from facility.storage.database import reading
from facility.storage.outbox import Topic, announcements_after, last_seq
from people.journal import journal_of
from people.model import Account, Role
from rules.events import MeterDue, TransitionKind
from tests.alarms.test_service import CLEARED, ESCALATED, RAISED, transition
from tests.databases import employ
from tests.facilities import BEARING_HIGH, HELD_OPEN, PUMP, SEAL_LEAK, SMOKE, small_facility, text
from workorders import repository, service
from workorders.events import OrderEvent
from workorders.lifecycle import OrderState
from workorders.model import WorkOrder

FACILITY = small_facility()


@pytest.fixture
def crew(database: Engine) -> dict[Role, Account]:
    with database.begin() as connection:
        return {role: employ(connection, role) for role in (Role.TECHNICIAN, Role.ENGINEER, Role.SUPERVISOR)}


def happen(
    database: Engine, *kinds: tuple[int, TransitionKind], priority: Priority | None = None
) -> tuple[list[AlarmEvent], list[OrderEvent]]:
    transitions = [transition(rule_id, kind, priority=priority) for rule_id, kind in kinds]
    with database.begin() as connection:
        alarms = apply_transitions(connection, FACILITY, transitions, now_ns=1_000)
        return alarms, service.respond_to_alarms(connection, FACILITY, alarms, now_ns=1_000)


def unfinished(database: Engine) -> list[WorkOrder]:
    with reading(database) as connection:
        return repository.open_work_orders(connection)


class Desk:
    """Sends commands on one order, always with the newest version."""

    def __init__(self, database: Engine, order: WorkOrder, actor: Account) -> None:
        self.database, self.order, self.actor = database, order, actor

    def assign(self, assignee: Account) -> WorkOrder:
        with self.database.begin() as connection:
            self.order = service.assign(
                connection,
                FACILITY,
                self.order.id,
                version=self.order.version,
                assignee=assignee,
                actor=self.actor,
                now_ns=2_000,
            )
        return self.order

    def start(self) -> WorkOrder:
        with self.database.begin() as connection:
            self.order = service.start(
                connection, FACILITY, self.order.id, version=self.order.version, actor=self.actor, now_ns=3_000
            )
        return self.order

    def tick(self, number: int, *, done: bool = True) -> WorkOrder:
        with self.database.begin() as connection:
            self.order = service.tick_step(
                connection,
                FACILITY,
                self.order.id,
                version=self.order.version,
                number=number,
                done=done,
                actor=self.actor,
                now_ns=4_000,
            )
        return self.order

    def complete(self, *, override_reason: str = "") -> WorkOrder:
        with self.database.begin() as connection:
            self.order = service.complete(
                connection,
                FACILITY,
                self.order.id,
                version=self.order.version,
                remark="bearing greased",
                override_reason=override_reason,
                actor=self.actor,
                now_ns=5_000,
            )
        return self.order

    def cancel(self, reason: str) -> WorkOrder:
        with self.database.begin() as connection:
            self.order = service.cancel(
                connection,
                FACILITY,
                self.order.id,
                version=self.order.version,
                reason=reason,
                actor=self.actor,
                now_ns=6_000,
            )
        return self.order


@pytest.mark.usefixtures("crew")
def test_a_hot_bearing_opens_one_order_with_its_checklist(database: Engine) -> None:
    alarms, [opened] = happen(database, (BEARING_HIGH, RAISED))
    [order] = unfinished(database)
    assert (order.kind, order.priority, order.state) == (OrderKind.CORRECTIVE, Priority.MEDIUM, OrderState.TRIAGED)
    assert (opened.order_id, opened.transition, opened.kind) == (order.id, "opened_by_alarm", OrderKind.CORRECTIVE)
    with reading(database) as connection:
        steps = repository.steps_of(connection, order.id)
        assert [(step.number, step.text, step.mandatory) for step in steps] == [
            (1, text("isolate"), True),
            (2, text("repair"), True),
            (3, text("photograph"), False),
        ]
        assert repository.alarm_ids_of(connection, order.id) == [alarms[0].alarm_id]
        assert repository.order_ids_of_alarms(connection, [alarms[0].alarm_id, 99]) == {alarms[0].alarm_id: order.id}
        assert repository.alarm_counts(connection, [order.id]) == {order.id: 1}
        assert announcements_after(connection, 0)[-1][1:] == (Topic.WORK_ORDER, order.id, 1_000)


@pytest.mark.usefixtures("crew")
def test_an_alarm_that_is_delivered_twice_opens_one_order_and_says_so_once(database: Engine) -> None:
    alarms, _ = happen(database, (BEARING_HIGH, RAISED), (SMOKE, RAISED))
    with database.begin() as connection:
        told = last_seq(connection)
        assert service.respond_to_alarms(connection, FACILITY, alarms, now_ns=2_000) == []
        assert last_seq(connection) == told
    assert [order.kind for order in unfinished(database)] == [OrderKind.EMERGENCY, OrderKind.CORRECTIVE]


@pytest.mark.usefixtures("crew")
def test_a_door_held_open_needs_no_order(database: Engine) -> None:
    assert happen(database, (HELD_OPEN, RAISED))[1] == []
    assert unfinished(database) == []


@pytest.mark.usefixtures("crew")
def test_a_seal_that_leaks_again_joins_the_order_that_is_not_finished(database: Engine) -> None:
    _, orders = happen(database, (SEAL_LEAK, RAISED), (SEAL_LEAK, CLEARED), (SEAL_LEAK, RAISED))
    assert [order.transition for order in orders] == ["opened_by_alarm", "raised_again"]
    happen(database, (SEAL_LEAK, CLEARED))
    _, [again] = happen(database, (SEAL_LEAK, RAISED))
    [order] = unfinished(database)
    assert (again.transition, again.order_id) == ("raised_again", order.id)
    with reading(database) as connection:
        assert repository.alarm_counts(connection, [order.id]) == {order.id: 3}


@pytest.mark.usefixtures("crew")
def test_an_order_becomes_as_urgent_as_its_alarm_and_stays_so(database: Engine) -> None:
    happen(database, (BEARING_HIGH, RAISED))
    _, [raised] = happen(database, (BEARING_HIGH, ESCALATED), priority=Priority.CRITICAL)
    happen(database, (BEARING_HIGH, CLEARED))
    _, [again] = happen(database, (BEARING_HIGH, RAISED))
    [order] = unfinished(database)
    assert (raised.transition, again.transition) == ("escalated", "raised_again")
    assert (order.priority, order.version) == (Priority.CRITICAL, 2)


def test_a_finished_order_is_not_opened_again_but_the_next_episode_opens_its_own(
    database: Engine, crew: dict[Role, Account]
) -> None:
    happen(database, (SEAL_LEAK, RAISED))
    desk = Desk(database, unfinished(database)[0], crew[Role.SUPERVISOR])
    desk.cancel("known leak, pump is taken out tomorrow")
    happen(database, (SEAL_LEAK, CLEARED))
    assert unfinished(database) == []
    happen(database, (SEAL_LEAK, RAISED))
    assert [order.id for order in unfinished(database)] == [desk.order.id + 1]


@pytest.mark.usefixtures("crew")
def test_five_hundred_hours_open_one_preventive_order_for_ever(database: Engine) -> None:
    due = MeterDue(asset_id=PUMP, plan="grease", due_key=3, value=1_500.2, at_ns=900)
    with database.begin() as connection:
        [opened] = service.open_due_maintenance(connection, FACILITY, [due, due], now_ns=1_000)
        assert service.open_due_maintenance(connection, FACILITY, [due], now_ns=1_000) == []
        assert service.open_due_maintenance(connection, FACILITY, [], now_ns=1_000) == []
        order = repository.work_order(connection, opened.order_id)
        [line] = journal_of(connection, Topic.WORK_ORDER, order.id)
    assert (order.kind, order.plan, order.due_key) == (OrderKind.PREVENTIVE, "grease", 3)
    assert order.source == "Maker's manual 7.2"
    assert (line.transition, line.evidence) == ("opened_by_plan", {"meter": 1_500.2, "due_key": 3})


def test_an_order_goes_from_the_alarm_to_the_technician_and_is_completed(
    database: Engine, crew: dict[Role, Account]
) -> None:
    happen(database, (BEARING_HIGH, RAISED))
    technician = crew[Role.TECHNICIAN]
    desk = Desk(database, unfinished(database)[0], crew[Role.SUPERVISOR])
    assert desk.assign(technician).assignee == "Technician"
    desk.actor = technician
    desk.start()
    desk.tick(1)
    with pytest.raises(InvalidCommandError, match="Mandatory steps are not done: 2"):
        desk.complete()
    desk.tick(3)
    desk.tick(3, done=False)
    desk.tick(2)
    with pytest.raises(InvalidCommandError, match="still active"):
        desk.complete()
    happen(database, (BEARING_HIGH, CLEARED))
    done = desk.complete()
    assert (done.state, done.started_at_ns, done.completed_at_ns) == (OrderState.COMPLETED, 3_000, 5_000)
    assert done.remark == "bearing greased"
    with reading(database) as connection:
        lines = journal_of(connection, Topic.WORK_ORDER, done.id)
        steps = repository.steps_of(connection, done.id)
        assert repository.work_order_page(connection, open_only=True, asset_id=None, limit=9, offset=0) == ([], 0)
        assert repository.work_order_page(connection, open_only=False, asset_id=PUMP, limit=9, offset=0) == ([done], 1)
    assert [(step.done, step.done_by) for step in steps] == [
        (True, "Technician"),
        (True, "Technician"),
        (False, None),
    ]
    assert [(line.transition, line.actor) for line in lines] == [
        ("opened_by_alarm", "Watchkeeper"),
        ("assigned", "Supervisor"),
        ("started", "Technician"),
        ("step_done", "Technician"),
        ("step_done", "Technician"),
        ("step_undone", "Technician"),
        ("step_done", "Technician"),
        ("completed", "Technician"),
    ]


def test_work_may_be_complete_although_an_alarm_stands_if_someone_says_why(
    database: Engine, crew: dict[Role, Account]
) -> None:
    happen(database, (BEARING_HIGH, RAISED))
    desk = Desk(database, unfinished(database)[0], crew[Role.SUPERVISOR])
    desk.assign(crew[Role.TECHNICIAN])
    desk.start()
    desk.tick(1)
    desk.tick(2)
    done = desk.complete(override_reason="sensor is replaced on Monday")
    assert done.remark == "bearing greased\nsensor is replaced on Monday"


def test_an_order_given_to_someone_else_keeps_its_ticks_and_its_first_start(
    database: Engine, crew: dict[Role, Account]
) -> None:
    happen(database, (BEARING_HIGH, RAISED))
    desk = Desk(database, unfinished(database)[0], crew[Role.SUPERVISOR])
    desk.assign(crew[Role.TECHNICIAN])
    desk.start()
    desk.tick(1)
    assert desk.assign(crew[Role.ENGINEER]).state is OrderState.DISPATCHED
    desk.actor = crew[Role.TECHNICIAN]
    with pytest.raises(InvalidCommandError, match="Only its assignee"):
        desk.start()
    desk.actor = crew[Role.ENGINEER]
    assert desk.start().started_at_ns == 3_000
    with reading(database) as connection:
        assert repository.steps_of(connection, desk.order.id)[0].done_by == "Supervisor"


def test_an_order_about_fire_cannot_be_cancelled(database: Engine, crew: dict[Role, Account]) -> None:
    happen(database, (SMOKE, RAISED))
    desk = Desk(database, unfinished(database)[0], crew[Role.SUPERVISOR])
    with pytest.raises(InvalidCommandError, match="life safety"):
        desk.cancel("only steam")


def test_a_cancellation_wants_a_reason_and_work_that_has_begun_is_completed(
    database: Engine, crew: dict[Role, Account]
) -> None:
    happen(database, (BEARING_HIGH, RAISED))
    desk = Desk(database, unfinished(database)[0], crew[Role.SUPERVISOR])
    with pytest.raises(InvalidCommandError, match="reason is missing"):
        desk.cancel(" ")
    desk.assign(crew[Role.TECHNICIAN])
    desk.start()
    with pytest.raises(InvalidCommandError, match="It is in progress"):
        desk.cancel("not needed")


def test_what_is_not_there_is_not_found(database: Engine, crew: dict[Role, Account]) -> None:
    happen(database, (BEARING_HIGH, RAISED))
    desk = Desk(database, unfinished(database)[0], crew[Role.SUPERVISOR])
    desk.assign(crew[Role.TECHNICIAN])
    desk.start()
    with pytest.raises(NotFoundError, match="has no step 4"):
        desk.tick(4)
    with reading(database) as connection, pytest.raises(NotFoundError, match="no work order 99"):
        repository.work_order(connection, 99)


def test_of_two_supervisors_who_assign_at_once_exactly_one_does(database: Engine, crew: dict[Role, Account]) -> None:
    happen(database, (BEARING_HIGH, RAISED))
    [order] = unfinished(database)
    gate = threading.Barrier(2)
    results: list[WorkOrder | StaleCommandError] = []

    def assign(assignee: Account) -> None:
        gate.wait()
        try:
            results.append(Desk(database, order, crew[Role.SUPERVISOR]).assign(assignee))
        except StaleCommandError as error:
            results.append(error)

    threads = [threading.Thread(target=assign, args=(crew[role],)) for role in (Role.TECHNICIAN, Role.ENGINEER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [won] = [result for result in results if isinstance(result, WorkOrder)]
    [lost] = [result for result in results if isinstance(result, StaleCommandError)]
    assert unfinished(database) == [won]
    assert "assigned (Supervisor)" in str(lost)
