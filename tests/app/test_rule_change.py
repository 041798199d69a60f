"""Rules changed while everything runs, on real wires and on a real bus: no connection notices, and gateways know."""

from __future__ import annotations

import asyncio
import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alarms.tables import alarm_episode
from app.rule_change import gateways_elsewhere_told, own_gateway_told
from facility.clock import SystemClock
from facility.errors import ConfigurationError
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.storage.database import reading
from gateway.bus import site
from gateway.bus.link import Link
from gateway.drivers.driver import DriverConfig, PointWrite
from gateway.events import Delivery
from gateway.gateway import Gateway
from gateway.profiles import DeviceProfile, driver_configs, load_profiles
from gateway.spool.intervals import Interval
from people.model import Account, Role
from rules.changes import repository, service
from rules.changes.model import RuleChange, Wanted
from tests.app.test_site_change import House, house
from tests.databases import employ
from tests.gateway.bus_ends import address, engine, topics_of
from tests.gateway.driver_site import until
from tests.rules.changes.house import House as Pumps
from tests.servers import Mosquitto

RULE = ("pump-1", "winding_temperature_high")


def with_limit(found: House, limit: float | None) -> Wanted:
    """Return a revision of the pump's rule: another limit, reached at once; ``None`` switches it off."""
    with reading(found.system.database) as connection:
        [live] = repository.rules_named(connection, [RULE])
    definition: dict[str, Any] | None = None
    if limit is not None:
        definition = copy.deepcopy({key: value for key, value in live.definition.items() if key != "name"})
        definition["condition"] |= {"limits": {"high": {"value": limit}}, "on_delay_s": 0.0}
    return Wanted(asset_id=RULE[0], name=RULE[1], base=live.revision, definition=definition)


async def live(found: House, second: Account, wanted: Wanted) -> RuleChange:
    """Propose and approve, as two people do."""
    system = found.system
    with system.database.begin() as connection:
        change = service.propose(
            connection,
            system.services.facility,
            [wanted],
            reason="it runs hot",
            actor=found.engineer,
            now_ns=SystemClock().now_ns(),
        )
    rules = system.services.rules
    assert rules is not None
    return await asyncio.to_thread(rules.approve, change.id, version=1, comment="yes", actor=second)


def open_alarms(database: Engine) -> int:
    with reading(database) as connection:
        return len(connection.execute(select(alarm_episode.c.id).where(alarm_episode.c.closed_at_ns.is_(None))).all())


async def test_a_limit_is_live_at_the_next_sample_and_no_connection_notices(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        database, rules = found.system.database, found.system.services.rules
        assert rules is not None
        with database.begin() as connection:
            second = employ(connection, Role.SUPERVISOR)
        await live(found, second, with_limit(found, 1.0))
        await until(lambda: open_alarms(database) == 1)
        await live(found, second, with_limit(found, None))
        assert open_alarms(database) == 0

        with reading(database) as connection:
            [off] = repository.rules_named(connection, [RULE])
        back = partial(rules.roll_back, off.rule_id, to=2, base=off.revision, reason="it was right", actor=second)
        await asyncio.to_thread(back)
        await until(lambda: open_alarms(database) == 1)
        assert found.relays["old"].sessions == 1, "a connection was closed"

        await found.change(found.site(second=""))  # the same pump in a file that says nothing new of its rules
        assert open_alarms(database) == 1


def reporting(**points: dict[str, float]) -> dict[str, DeviceProfile]:
    """Return the shipped profiles, the pump's with points that report by exception."""
    profiles = load_profiles()
    pump = profiles["pump-vfd-a"]
    mapped = {
        name: {**entry, "report": points[name]} if name in points else entry for name, entry in pump.points.items()
    }
    return {**profiles, pump.profile: pump.model_copy(update={"points": mapped})}


class Silent:
    """A driver that only is there."""

    def __init__(self, _config: DriverConfig) -> None:
        pass

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def write(self, write: PointWrite) -> None:
        raise NotImplementedError

    async def read(self, point: object) -> Sample:
        raise NotImplementedError


@pytest.fixture
def pumps(database: Engine) -> Pumps:
    return Pumps(database)


def test_what_a_running_gateway_leaves_out_follows_the_rules_without_a_new_connection(pumps: Pumps) -> None:
    profiles = reporting(vibration={"absolute": 5.0})
    delivered: list[Delivery] = []
    configs = driver_configs(pumps.facility, profiles, clock=SystemClock(), deliver=delivered.append)
    gateway = Gateway(configs, opener=Silent)
    [key] = [key for key, each in pumps.facility.points.items() if each.address == "pump-1/vibration"]

    def said(value: float, at_ns: int) -> bool:
        before = len(delivered)
        configs[0].deliver(
            Delivery(connection_id="line", batch=SampleBatch.of([Sample(key, at_ns, at_ns, value, Quality.GOOD)]))
        )
        return len(delivered) > before

    assert said(1.0, 1)
    assert not said(3.0, 2)
    pumps.approve("bo", pumps.propose("ada", pumps.wanted("pump-1/vibration_high", 2.0)))
    with reading(pumps.database) as connection:
        own_gateway_told(gateway, connection, pumps.facility, profiles)()
    assert said(3.0, 3), "beyond the new limit"
    wanted = driver_configs(pumps.facility, profiles, clock=SystemClock(), deliver=delivered.append)
    assert dict(gateway.prepare(wanted).fresh) == {}


def test_a_rule_that_would_take_a_heartbeat_for_a_loss_is_refused_before_it_is_live(pumps: Pumps) -> None:
    profiles = reporting(vibration={"absolute": 5.0, "heartbeat_s": 60.0})
    gateway = Gateway([], opener=Silent)
    written = pumps.wanted("pump-1/vibration_silent", 5.0).definition
    assert written is not None
    silent = {**written, "condition": {"type": "no_data", "timeout_s": 30.0}}
    wanted = Wanted(asset_id="pump-1", name="vibration_silent", base=0, definition=silent)
    pumps.approve("bo", pumps.propose("ada", wanted))
    with reading(pumps.database) as connection, pytest.raises(ConfigurationError, match="would look like silence"):
        own_gateway_told(gateway, connection, pumps.facility, profiles)


class Deaf:
    """A gateway's end of the bus that minds nothing but its configuration."""

    def on_up(self) -> None:
        pass

    def on_lost(self) -> None:
        pass

    def on_engine(self, engine: str) -> None:
        pass

    def on_again(self, stream: int) -> None:
        pass

    def on_acknowledged(self, spool: int, done: list[Interval]) -> None:
        pass


async def test_gateways_that_run_apart_get_the_changed_rules_over_the_bus(pumps: Pumps, mosquitto: Mosquitto) -> None:
    topics, arrived = topics_of(f"rule-change-{pumps.database.dialect.name}"), list[bytes]()
    link = Link(address(mosquitto.port), topics, "edge", on_configuration=arrived.append, on_call=lambda _call: None)
    async with engine(mosquitto.port, topics, facility=pumps.facility) as end:
        listening = asyncio.create_task(link.run(Deaf()))
        await until(lambda: arrived[-1:] == [b"{}"])
        pumps.approve("bo", pumps.propose("ada", pumps.wanted("pump-1/vibration_high", 2.0)))
        with reading(pumps.database) as connection:
            gateways_elsewhere_told(end.receiver, connection, pumps.facility, load_profiles())()
        await until(lambda: len(arrived) > 1)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert dict(site.decode(arrived[-1], {}).facility.rules) == dict(pumps.facility.rules)
