"""A device that is lost, on real wires: one alarm, one order, and the end of both when it is back."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from alarms.tables import alarm_episode
from facility.quality import Quality
from facility.storage.database import reading
from tests.app.troubled_plant import GOOD_STATE, Plant, troubled_plant
from tests.gateway.driver_site import until
from tests.servers import Mosquitto

LOST = "communication_lost"


def alarms_of(plant: Plant, asset: str) -> list[str]:
    """Return the rules of every episode of a device so far."""
    return [name for owner, name in plant.alarms() if owner == asset]


def cleared(plant: Plant, asset: str) -> bool:
    """Tell whether the last alarm of a device is over, whoever has seen it."""
    statement = select(alarm_episode.c.cleared_at_ns).where(alarm_episode.c.asset_id == asset)
    with reading(plant.system.database) as connection:
        return all(at_ns is not None for at_ns in connection.scalars(statement))


async def test_a_dead_pump_is_one_alarm_and_one_order_and_ends_when_it_answers_again(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    async with troubled_plant(mosquitto.port, tmp_path) as plant:
        plant.pumps[1].silent = True
        await until(lambda: alarms_of(plant, "pump-1"))
        assert plant.quality("pump-1", "speed") is Quality.BAD_COMMUNICATION
        assert not cleared(plant, "pump-1")
        await plant.keeps_flowing("pump-2", "speed")  # by now silence alone would have raised it too
        assert alarms_of(plant, "pump-1") == [LOST]
        plant.pumps[1].silent = False
        await until(lambda: cleared(plant, "pump-1"))
        assert alarms_of(plant, "pump-1") == [LOST]
        assert plant.orders() == len(plant.alarms())


async def test_a_door_that_falls_silent_without_a_word_is_one_alarm_too(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async with troubled_plant(mosquitto.port, tmp_path, speed=10.0) as plant:  # its rule waits half a minute
        plant.states.pop("door-1")
        await until(lambda: alarms_of(plant, "door-1"))
        await plant.keeps_flowing("door-2", "battery_voltage")
        assert alarms_of(plant, "door-1") == [LOST]
        plant.states["door-1"] = GOOD_STATE
        await until(lambda: cleared(plant, "door-1"))
        assert alarms_of(plant, "door-1") == [LOST]
