"""Lifts and doors on a real broker."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from facility.clock import NS_PER_MS, Clock, ScaledClock, SystemClock
from facility.equipment import System
from simulators.mqtt import Message, MqttPublisher
from simulators.scenario import Scenario, Step
from simulators.simulation import Simulation, build_simulation
from tests.servers import Mosquitto, mosquitto_in
from tests.simulators.listening_client import Listener, listening, until
from tests.simulators.sites import asset, mqtt_connection, site

ROOTS = (f"wire-test-{number}" for number in itertools.count())


@pytest.fixture
def root() -> str:
    """Topics of one's own on the shared broker."""
    return next(ROOTS)


def tower(port: int, root: str, clock: Clock, *steps: Step, systems: set[System] | None = None) -> Simulation:
    assets = [
        *(asset(f"lift-{number}", "lift", root=f"{root}/lift-{number}") for number in (1, 2)),
        *(asset(f"door-{number}", "door", root=f"{root}/door-{number}") for number in (1, 2)),
    ]
    place = site(mqtt_connection(port), assets)
    return build_simulation(place, Scenario(steps=steps), clock=clock, seed=3, systems=systems)


@asynccontextmanager
async def playing(simulation: Simulation) -> AsyncIterator[None]:
    task = asyncio.create_task(simulation.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_every_topic_of_the_wire_document_comes_with_its_fields(mosquitto: Mosquitto, root: str) -> None:
    simulation = tower(mosquitto.port, root, ScaledClock(start_ns=0, speed=20.0))
    with listening(mosquitto.port, f"{root}/#") as heard:
        async with playing(simulation):
            simulation.inject("door-1", "held_open")
            await until(lambda: len(heard.below("lift-1/counters")) > 1, "counters twice")
            await until(lambda: len(heard.below("door-1/event")) > 1, "granted and held open")
    fields = {message.topic.rpartition("/")[2]: set(message.body) for message in heard.below("")}
    fields["door"] = set(heard.below("door-1/state")[0].body)
    fields["state"] = set(heard.below("lift-1/state")[0].body)
    assert fields == {
        "motion": {"t_ms", "position_m", "speed_m_s", "acceleration_m_s2", "load_kg", "floor", "direction"},
        "drive": {"t_ms", "motor_current_a", "motor_temperature_c", "machine_vibration_mm_s"},
        "state": {"t_ms", "mode", "door", "brake", "safety_chain", "passenger_trapped", "overspeed"},
        "counters": {"t_ms", "trips", "starts", "door_cycles", "door_reopenings"},
        "door": {"t_ms", "door", "lock", "tamper", "tailgating", "battery_v"},
        "event": fields["event"],
    }
    granted, held_open = heard.below("door-1/event")[:2]
    assert set(granted.body) == {"id", "t_ms", "event", "badge"}
    assert set(held_open.body) == {"id", "t_ms", "event"}
    gaps_ms = [
        after.body["t_ms"] - before.body["t_ms"] for before, after in itertools.pairwise(heard.below("lift-1/motion"))
    ]
    assert statistics.mean(gaps_ms) == pytest.approx(500, rel=0.1)


async def test_a_change_is_on_the_wire_within_milliseconds_of_its_time(mosquitto: Mosquitto, root: str) -> None:
    simulation = tower(mosquitto.port, root, SystemClock())
    with listening(mosquitto.port, f"{root}/+/state") as heard:
        async with playing(simulation):
            await until(lambda: len(heard.messages) >= 4, "first states")
            for _ in range(10):
                simulation.inject("door-1", "tamper")
                await until(lambda: heard.below("door-1/state")[-1].body["tamper"], "tamper")
                simulation.clear("door-1", "tamper")
                await until(lambda: not heard.below("door-1/state")[-1].body["tamper"], "no tamper")
    delays_ms = [message.at_ns / NS_PER_MS - message.body["t_ms"] for message in heard.below("door-1/state")]
    assert statistics.median(delays_ms) < 25


async def test_states_are_retained_for_whoever_comes_later(mosquitto: Mosquitto, root: str) -> None:
    simulation = tower(mosquitto.port, root, SystemClock())
    async with playing(simulation):
        with listening(mosquitto.port, f"{root}/+/state") as early:
            await until(lambda: len({message.topic for message in early.messages}) == 4, "all states")
    with listening(mosquitto.port, f"{root}/#") as late:
        await until(lambda: len(late.messages) == 4, "retained states")
    assert all(message.retained and message.topic.endswith("/state") for message in late.messages)


async def test_the_scenario_plays_on_the_wire_and_the_truth_is_kept(mosquitto: Mosquitto, root: str) -> None:
    steps = (
        Step(at_s=1.0, device="door-2", inject="forced"),
        Step(at_s=4.0, device="door-2", clear="forced"),
    )
    simulation = tower(mosquitto.port, root, ScaledClock(start_ns=0, speed=5.0), *steps)
    with listening(mosquitto.port, f"{root}/door-2/#") as heard:
        async with playing(simulation):
            await until(lambda: any(truth.cleared_ns for truth in simulation.injections), "the second step")
            await until(lambda: heard.below("/state")[-1].body["door"] == "closed", "closed again")
    (truth,) = simulation.injections
    assert truth.at_ns == pytest.approx(1_000_000_000, abs=250_000_000)
    (event,) = [message for message in heard.below("/event") if message.body["event"] == "forced"]
    assert event.body["t_ms"] == truth.at_ns / NS_PER_MS


async def test_only_the_wanted_systems_are_simulated(mosquitto: Mosquitto, root: str) -> None:
    elsewhere = Step(at_s=0.0, device="lift-1", inject="overspeed")
    simulation = tower(mosquitto.port, root, SystemClock(), elsewhere, systems={System.ACCESS})
    assert set(simulation.devices) == {"door-1", "door-2"}
    async with playing(simulation):
        with listening(mosquitto.port, f"{root}/#") as heard:
            await until(lambda: len(heard.messages) >= 2, "doors")
    assert simulation.injections == []
    assert heard.below("lift-1/motion") == []


async def test_events_of_an_outage_arrive_once_the_broker_is_back_and_loss_is_logged_once(tmp_path: Path) -> None:
    broker = mosquitto_in(tmp_path)
    simulation = tower(broker.port, "outage", SystemClock())
    with capture_logs() as logs:
        async with playing(simulation):
            with broker.running(), listening(broker.port, "outage/#") as before:
                await until(lambda: len({message.topic for message in before.below("/state")}) == 4, "first states")
            await until(lambda: logged(logs, "broker lost") == 2, "loss noticed by lifts and doors")
            for fault in ("tamper", "forced"):
                simulation.inject("door-1", fault)
            with broker.running(), listening(broker.port, "outage/#") as after:
                await until(lambda: events(after) >= {"tamper", "forced"}, "kept events")
                await until(lambda: len({message.topic for message in after.below("/motion")}) == 2, "telemetry")
                assert (logged(logs, "broker lost"), logged(logs, "broker is back")) == (2, 2)


def events(heard: Listener) -> set[str]:
    return {message.body["event"] for message in heard.below("door-1/event")}


def logged(logs: list[MutableMapping[str, Any]], words: str) -> int:
    return sum(words in entry["event"] for entry in logs)


async def test_a_publisher_settles_when_the_broker_has_acknowledged_everything(mosquitto: Mosquitto, root: str) -> None:
    with listening(mosquitto.port, f"{root}/#") as heard:
        async with MqttPublisher(mqtt_connection(mosquitto.port), "test") as publisher:
            for number in range(1000):
                publisher.publish(Message(f"{root}/n", {"number": number}, qos=1))
            await publisher.settled()
        await until(lambda: len(heard.messages) == 1000, "all of them")
    assert [message.body["number"] for message in heard.messages] == list(range(1000))
    assert publisher.dropped == 0


async def test_telemetry_is_dropped_and_events_are_kept_without_a_broker() -> None:
    publisher = MqttPublisher(mqtt_connection(1), "test")
    publisher.publish(Message("a", {}, qos=0))
    publisher.publish(Message("b", {}, qos=1))
    assert len(publisher._waiting) == 1
    assert not publisher.connected


async def test_a_full_memory_forgets_the_oldest_event_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.mqtt.MAX_WAITING", 3)
    publisher = MqttPublisher(mqtt_connection(1), "test")
    for number in range(5):
        publisher.publish(Message("event", {"number": number}, qos=1))
    assert [message.body for message in publisher._waiting] == [{"number": number} for number in (2, 3, 4)]
    assert publisher.dropped == 2
