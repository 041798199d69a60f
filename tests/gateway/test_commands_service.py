"""Who may command what, and when: decided when a command comes, whatever the console showed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from facility.errors import (
    ForbiddenError,
    InvalidCommandError,
    NotFoundError,
    StaleCommandError,
    WatchkeeperError,
)
from facility.model import Facility
from facility.storage.database import reading
from facility.storage.outbox import Topic, announcements_after
from gateway.commands import repository
from gateway.commands.lifecycle import CommandState, Happening
from gateway.commands.service import Site, happen
from people.model import Role
from tests.gateway.commanded import ALARM, LOCK, SETPOINT, Desk, desk_over, writable


@pytest.fixture
def desk(database: Engine) -> Desk:
    return desk_over(database)


def confirm(desk: Desk, value: float = 1200.0, **changes: object) -> int:
    """Let a command get as far as holding its point; return its number."""
    command = desk.ask(desk.asked(SETPOINT, value, **changes))
    with desk.database.begin() as connection:
        command = happen(connection, command, Happening.SEND, now_ns=desk.clock.now_ns())
        return happen(connection, command, Happening.SHOW, shown=value, now_ns=desk.clock.now_ns()).id


def test_a_command_is_written_down_with_author_reason_and_end_and_announced(desk: Desk) -> None:
    command = desk.ask(desk.asked(SETPOINT, 1200.0, hold_s=600.0))
    assert (command.state, command.author, command.reason) == (CommandState.REQUESTED, "Operator", "night set-back")
    assert command.expires_at_ns == desk.clock.now_ns() + 600 * 10**9
    assert desk.journal(command) == [("requested", "Operator", "night set-back")]
    with reading(desk.database) as connection:
        [told] = [each for each in announcements_after(connection, 0) if each.topic is Topic.COMMAND]
    assert told.entity_id == command.id


def test_the_same_request_again_does_nothing_twice(desk: Desk) -> None:
    asked = desk.asked(SETPOINT, 1200.0)
    first, again = desk.ask(asked), desk.ask(asked)
    assert first == again
    assert len(desk.journal(first)) == 1


def test_a_requests_identity_cannot_be_used_for_something_else(desk: Desk) -> None:
    asked = desk.asked(SETPOINT, 1200.0)
    desk.ask(asked)
    with pytest.raises(StaleCommandError, match="another command"):
        desk.ask(replace(asked, value=900.0))


@pytest.mark.parametrize(
    ("address", "value", "changes", "says"),
    [
        (SETPOINT, 599.9, {}, "write 600 to 1480 rpm"),
        (SETPOINT, 1480.1, {}, "outside the limits"),
        (LOCK, 2.0, {}, "choose one of: unlocked, locked"),
        (SETPOINT, 1200.0, {"hold_s": 3600.1}, "up to 3600 s"),
        ("pump-1/run_hours", 1.0, {}, "may not be commanded"),
        (SETPOINT, 1200.0, {"point_key": 999}, "There is no point 999"),
    ],
)
def test_what_lies_outside_the_limits_is_refused_with_what_to_write_instead(
    desk: Desk, address: str, value: float, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(InvalidCommandError, match=says):
        desk.ask(desk.asked(address, value, **changes))


def test_a_fire_point_refuses_even_if_somebody_made_it_writable(desk: Desk) -> None:
    point = desk.site.facility.points[desk.key(ALARM)]
    desk.site = Site(facility=desk.site.facility, writables={point.key: writable(point)})
    with pytest.raises(InvalidCommandError, match="fire system, which is read and never operated"):
        desk.ask(desk.asked(ALARM, 0.0))


def test_what_belongs_to_a_fire_panel_refuses_too(desk: Desk) -> None:
    facility: Facility = desk.site.facility
    pump = replace(facility.assets["pump-1"], parent_id="detector-101")
    with_fire_pump = replace(facility, assets={**facility.assets, "pump-1": pump})
    desk.site = Site(facility=with_fire_pump, writables=desk.site.writables)
    with pytest.raises(InvalidCommandError, match="belongs to detector-101 of the fire system"):
        desk.ask(desk.asked(SETPOINT, 1200.0))


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.TECHNICIAN])
def test_only_the_roles_of_the_profile_command_a_point_and_take_it_back(desk: Desk, role: Role) -> None:
    with pytest.raises(ForbiddenError, match="takes commands from: operator, supervisor"):
        desk.ask(desk.asked(SETPOINT, 1200.0), role)
    number = confirm(desk)
    with reading(desk.database) as connection:
        command = repository.command(connection, number)
    with pytest.raises(ForbiddenError):
        desk.take_back(command, role)


def test_one_command_at_a_time_is_under_way_on_a_point_and_others_wait(desk: Desk) -> None:
    desk.ask(desk.asked(SETPOINT, 1200.0))
    with pytest.raises(StaleCommandError, match="A command of Operator is under way"):
        desk.ask(desk.asked(SETPOINT, 900.0), Role.SUPERVISOR)
    desk.ask(desk.asked(LOCK, 0.0))  # another point


def test_whoever_did_not_see_who_holds_the_point_looks_again(desk: Desk) -> None:
    number = confirm(desk)
    with pytest.raises(StaleCommandError, match="Operator holds it"):
        desk.ask(desk.asked(SETPOINT, 900.0))
    later = desk.ask(desk.asked(SETPOINT, 900.0, holder=number))
    assert later.state is CommandState.REQUESTED
    with pytest.raises(StaleCommandError, match="nobody holds it any more"):
        desk.ask(desk.asked(LOCK, 0.0, holder=number))


def test_a_later_command_takes_the_place_of_the_one_before_only_when_the_device_shows_it(desk: Desk) -> None:
    number = confirm(desk)
    later = desk.ask(desk.asked(SETPOINT, 900.0, holder=number))
    with desk.database.begin() as connection:
        later = happen(connection, later, Happening.SEND, now_ns=0)
        assert repository.command(connection, number).state is CommandState.CONFIRMED
        happen(connection, later, Happening.SHOW, shown=900.0, now_ns=0)
        before = repository.command(connection, number)
    assert before.state is CommandState.SUPERSEDED
    assert desk.journal(before)[-1] == ("superseded", "Watchkeeper", f"by command {later.id}")


def test_a_point_that_an_assets_own_rule_watches_for_life_safety_is_never_commanded(desk: Desk) -> None:
    facility, key = desk.site.facility, desk.key(SETPOINT)
    like = next(iter(facility.rules.values()))
    definition = like.definition.model_copy(update={"life_safety": True, "point": facility.points[key].name})
    guard = replace(like, id=999, asset_id=facility.points[key].asset_id, point_key=key, definition=definition)
    desk.site = replace(desk.site, facility=replace(facility, rules={**facility.rules, guard.id: guard}))
    with pytest.raises(InvalidCommandError, match="watched for life safety and is read only"):
        desk.ask(desk.asked(SETPOINT, 1200.0))


def test_a_point_held_at_another_priority_is_taken_back_first(desk: Desk) -> None:
    number = confirm(desk)
    point = desk.site.facility.points[desk.key(SETPOINT)]
    desk.site = Site(facility=desk.site.facility, writables={point.key: writable(point, priority=12)})
    with pytest.raises(StaleCommandError, match="Take the command back first"):
        desk.ask(desk.asked(SETPOINT, 900.0, holder=number))


def test_taking_back_twice_is_taking_back_once(desk: Desk) -> None:
    number = confirm(desk)
    with reading(desk.database) as connection:
        command = repository.command(connection, number)
    first, again = desk.take_back(command), desk.take_back(command)
    assert first.state is CommandState.RETURNING
    assert first == again


def test_a_step_on_a_command_that_changed_meanwhile_is_stale(desk: Desk) -> None:
    command = desk.ask(desk.asked(SETPOINT, 1200.0))
    with desk.database.begin() as connection:
        happen(connection, command, Happening.SEND, now_ns=0)
    with pytest.raises(StaleCommandError), desk.database.begin() as connection:
        happen(connection, command, Happening.SEND, now_ns=0)


def test_a_command_that_does_not_exist_is_not_found(desk: Desk) -> None:
    command = desk.ask(desk.asked(SETPOINT, 1200.0))
    with pytest.raises(NotFoundError):
        desk.take_back(replace(command, id=999))
    assert issubclass(NotFoundError, WatchkeeperError)
