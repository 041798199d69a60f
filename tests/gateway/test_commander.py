"""Commands carried out: shown or taken back, also by a process that starts after another one died."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from facility.storage.database import metadata, open_database
from gateway.commands.commander import SEND_WITHIN_S
from gateway.commands.lifecycle import CommandState, Happening
from gateway.commands.model import Command, Release
from gateway.commands.service import happen
from tests.gateway.commanded import HOUR_S, LOCK, SETPOINT, Desk, at_work, desk_over
from tests.gateway.driver_site import until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    metadata.create_all(database)
    yield desk_over(database)
    database.dispose()


async def reaches(desk: Desk, command: Command, state: CommandState) -> Command:
    await until(lambda: desk.now(command).state is state)
    return desk.now(command)


async def carried_out(desk: Desk, address: str, value: float, state: CommandState) -> Command:
    """Ask for a command and let a commander bring it there."""
    commander = desk.commander()
    async with at_work(commander):
        command = desk.ask(desk.asked(address, value))
        commander.wake()
        return await reaches(desk, command, state)


def steps(desk: Desk, command: Command) -> list[str]:
    return [transition for transition, _, _ in desk.journal(command)]


async def test_a_command_is_written_and_confirmed_by_what_the_device_shows(desk: Desk) -> None:
    command = await carried_out(desk, SETPOINT, 1200.0, CommandState.CONFIRMED)
    assert desk.plant.writes == [(SETPOINT, 1200.0, 8)]
    assert command.shown == 1200.0
    assert steps(desk, command) == ["requested", "sent", "confirmed"]


async def test_at_its_expiry_a_command_is_taken_back_by_the_safe_value(desk: Desk) -> None:
    commander = desk.commander()
    async with at_work(commander):
        command = desk.ask(desk.asked(SETPOINT, 1200.0, hold_s=60.0))
        await reaches(desk, command, CommandState.CONFIRMED)
        desk.clock.advance(60.0)
        command = await reaches(desk, command, CommandState.EXPIRED)
    assert desk.plant.writes[-1] == (SETPOINT, 1465.0, 8)
    assert steps(desk, command)[-2:] == ["time_over", "expired"]
    assert command.ended_at_ns == desk.clock.now_ns()


async def test_an_expiry_that_fell_due_while_the_process_was_down_is_done_at_the_start(desk: Desk) -> None:
    command = await carried_out(desk, SETPOINT, 1200.0, CommandState.CONFIRMED)
    desk.clock.advance(HOUR_S * 24)
    async with at_work(desk.commander()):
        await reaches(desk, command, CommandState.EXPIRED)
    assert desk.plant.values[SETPOINT] == 1465.0


async def test_without_a_safe_value_the_journal_alone_says_that_it_expired(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    metadata.create_all(database)
    desk = desk_over(database, release=Release.NOTHING, safe=None)
    command = await carried_out(desk, LOCK, 0.0, CommandState.CONFIRMED)
    desk.clock.advance(HOUR_S)
    async with at_work(desk.commander()):
        await reaches(desk, command, CommandState.EXPIRED)
    assert desk.plant.writes == [(LOCK, 0.0, 8)]
    database.dispose()


async def test_relinquishing_writes_nothing_at_the_commands_own_priority(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    metadata.create_all(database)
    desk = desk_over(database, release=Release.RELINQUISH, safe=None, priority=10)
    command = await carried_out(desk, SETPOINT, 1200.0, CommandState.CONFIRMED)
    desk.take_back(command)
    async with at_work(desk.commander()):
        await reaches(desk, command, CommandState.RELINQUISHED)
    assert desk.plant.writes[-1] == (SETPOINT, None, 10)
    database.dispose()


async def test_a_device_that_shows_something_else_fails_the_command_and_is_let_go(desk: Desk) -> None:
    desk.plant.is_stubborn = True
    command = await carried_out(desk, SETPOINT, 1200.0, CommandState.FAILED)
    assert command.detail is not None
    assert "device shows 1465 rpm instead of 1200 rpm" in command.detail
    assert desk.plant.writes == [(SETPOINT, 1200.0, 8), (SETPOINT, 1465.0, 8)]
    assert steps(desk, command) == ["requested", "sent", "not_shown", "failed"]


async def test_a_device_that_refuses_has_changed_nothing_and_is_left_alone(desk: Desk) -> None:
    desk.plant.is_refusing = True
    command = await carried_out(desk, SETPOINT, 1200.0, CommandState.REFUSED)
    assert command.detail is not None
    assert "illegal data value" in command.detail
    assert desk.plant.writes == []


async def test_a_dead_device_fails_the_command_which_is_taken_back_once_it_lives_again(desk: Desk) -> None:
    desk.plant.is_silent = True
    commander = desk.commander()
    async with at_work(commander):
        command = desk.ask(desk.asked(SETPOINT, 1200.0))
        commander.wake()
        await until(lambda: "held_by_silence" in steps(desk, command))
        assert desk.now(command).state is CommandState.FAILING
        desk.plant.is_silent = False
        command = await reaches(desk, command, CommandState.FAILED)
    assert desk.plant.writes == [(SETPOINT, 1465.0, 8)]
    assert steps(desk, command) == ["requested", "sent", "unanswered", "held_by_silence", "failed"]


async def test_a_command_that_waited_too_long_is_never_sent(desk: Desk) -> None:
    command = desk.ask(desk.asked(SETPOINT, 1200.0))
    desk.clock.advance(SEND_WITHIN_S + 1)
    async with at_work(desk.commander()):
        await reaches(desk, command, CommandState.FAILED)
    assert desk.plant.writes == []


@pytest.mark.parametrize(("arrived", "state"), [(True, CommandState.CONFIRMED), (False, CommandState.FAILED)])
async def test_what_a_dying_process_was_sending_is_read_back_and_taken_back_unless_it_arrived(
    desk: Desk, state: CommandState, *, arrived: bool
) -> None:
    command = desk.ask(desk.asked(SETPOINT, 1200.0))
    with desk.database.begin() as connection:
        happen(connection, command, Happening.SEND, now_ns=desk.clock.now_ns())
    if arrived:
        desk.plant.values[SETPOINT] = 1200.0
    async with at_work(desk.commander()):
        await reaches(desk, command, state)
    assert desk.plant.writes == ([] if arrived else [(SETPOINT, 1465.0, 8)])


async def test_a_process_that_stops_in_the_middle_of_a_write_leaves_it_to_the_next(desk: Desk) -> None:
    desk.plant.gate = asyncio.Event()
    async with at_work(desk.commander()):
        command = desk.ask(desk.asked(SETPOINT, 1200.0))
        await reaches(desk, command, CommandState.SENT)
    desk.plant.gate = None
    async with at_work(desk.commander()):
        await reaches(desk, command, CommandState.FAILED)


async def test_whoever_waits_for_the_outcome_goes_on_when_it_is_there(desk: Desk) -> None:
    commander = desk.commander()

    def ask_and_wait() -> Command:
        command = desk.ask(desk.asked(SETPOINT, 1200.0))
        commander.await_outcome(command, commander.expect(command))
        return desk.now(command)

    async with at_work(commander):
        command = await asyncio.to_thread(ask_and_wait)
    assert command.state is CommandState.CONFIRMED


async def test_an_expired_command_waits_for_a_later_one_that_is_under_way_and_makes_way_for_it(desk: Desk) -> None:
    before = await carried_out(desk, SETPOINT, 1200.0, CommandState.CONFIRMED)
    desk.plant.gate = asyncio.Event()
    async with at_work(desk.commander()):
        later = desk.ask(desk.asked(SETPOINT, 900.0, holder=before.id))
        await reaches(desk, later, CommandState.SENT)
        desk.clock.advance(HOUR_S - 1)
        desk.clock.advance(1)
        desk.plant.gate.set()
        await until(lambda: desk.now(before).state in {CommandState.SUPERSEDED, CommandState.EXPIRED})
    assert desk.now(before).state is CommandState.SUPERSEDED
