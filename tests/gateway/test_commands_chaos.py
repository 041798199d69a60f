"""Whatever goes wrong with commands, in whatever order: every one ends, and no device keeps what nobody holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.errors import DeviceRefusedError, DeviceUnreachableError, StaleCommandError
from facility.model import Point
from facility.samples import Sample
from facility.storage.database import metadata, open_database, reading
from gateway.commands import commander as commander_module
from gateway.commands import repository
from gateway.commands.lifecycle import ENDED
from gateway.drivers.driver import PointWrite
from tests.gateway.commanded import HOUR_S, SETPOINT, Desk, Plant, desk_over

SAFE = 1465.0


class Fate(StrEnum):
    """What becomes of one write."""

    TAKEN = "taken"
    TAKEN_AND_SILENT = "taken_and_silent"
    """The device has it; its answer is lost."""
    LOST = "lost"
    TAKEN_AND_KILLED = "taken_and_killed"
    """The process dies between the device's answer and its own next line."""
    KILLED = "killed"
    REFUSED = "refused"
    OVERRIDDEN = "overridden"
    """Taken, and somebody's hand holds the device at another value."""


@dataclass
class Unlucky(Plant):
    """Devices whose next writes go as they are fated; after that, well."""

    fates: list[Fate] = field(default_factory=list)
    hand: float | None = None
    """What somebody holds the device at; ``None``: nobody does."""

    async def write(self, write: PointWrite) -> None:
        fate = self.fates.pop(0) if self.fates else Fate.TAKEN
        if fate is Fate.REFUSED and write.value != SAFE:
            raise DeviceRefusedError(write.point.address, "not now")
        if fate not in {Fate.LOST, Fate.KILLED}:
            await super().write(write)
        self.hand = 777.0 if fate is Fate.OVERRIDDEN else None
        if fate in {Fate.TAKEN_AND_KILLED, Fate.KILLED}:
            raise asyncio.CancelledError
        if fate in {Fate.TAKEN_AND_SILENT, Fate.LOST}:
            raise DeviceUnreachableError(write.point.asset_id, "127.0.0.1:502", 1.0)

    async def read(self, point: Point) -> Sample:
        sample = await super().read(point)
        return sample if self.hand is None else sample._replace(value=self.hand)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all examples: each leaves it as it found it."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('chaos') / 'test.db'}")
    metadata.create_all(database)
    yield desk_over(database, confirm_s=0.002)
    database.dispose()


def live(desk: Desk, plant: Unlucky) -> None:
    """Let one process live until nothing is due or it is killed."""

    async def carry_out() -> None:
        commander = desk.commander()
        commander._devices = plant
        while due := commander._due():
            await commander._carry_out(due[0])

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(carry_out())


Step = tuple[str, float]

STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from([700.0, 900.0, 1200.0])),
    st.tuples(st.just("take back"), st.just(0.0)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, HOUR_S])),
)


def perform(desk: Desk, step: Step) -> None:
    """Do what a person or the clock does; what is not possible now is refused, which is as well."""
    doing, value = step
    if doing == "wait":
        desk.clock.advance(value)
        return
    with reading(desk.database) as connection:
        holder = repository.holder(connection, desk.key(SETPOINT))
    with contextlib.suppress(StaleCommandError):
        if doing == "ask":
            desk.ask(desk.asked(SETPOINT, value, hold_s=1800.0, holder=holder.id if holder else None))
        elif holder is not None:
            desk.take_back(holder)


@settings(max_examples=40)
@given(st.lists(st.tuples(STEPS, st.lists(st.sampled_from(Fate), max_size=3)), min_size=1, max_size=8))
def test_every_command_ends_and_the_device_is_never_left_with_what_nobody_holds(
    desk: Desk, days: list[tuple[Step, list[Fate]]]
) -> None:
    plant = Unlucky()
    with (
        patch.object(commander_module, "backoff_s", lambda *_, **__: 0.0),
        patch.object(commander_module, "READ_AGAIN_S", 0.001),
    ):
        for step, fates in days:
            plant.fates = list(fates)
            perform(desk, step)
            live(desk, plant)
        plant.fates = []
        live(desk, plant)
        with reading(desk.database) as connection:
            living = repository.living(connection)
        assert len(living) <= 1
        assert plant.values[SETPOINT] == (living[0].value if living else SAFE)
        desk.clock.advance(HOUR_S)
        live(desk, plant)
    with reading(desk.database) as connection:
        assert repository.living(connection) == []
        everything, _ = repository.command_page(connection, living_only=False, asset_id=None, limit=1000, offset=0)
    assert plant.values[SETPOINT] == SAFE
    assert all(command.state in ENDED and command.ended_at_ns is not None for command in everything)
