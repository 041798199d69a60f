"""What a connection's deliveries pass on their way to the engine, as profiles ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facility.clock import NS_PER_S, VirtualClock
from facility.errors import ConfigurationError
from facility.model import Rule
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from gateway.device_clock import STEADY_MESSAGES, STEADY_S
from gateway.events import Delivery, DeviceEvent, UnitStatus
from gateway.profiles import driver_configs, load_profiles
from gateway.rollover import Totals
from tests.gateway.test_profiles import CLASSES, asset, facility

HOUR_NS = 3600 * NS_PER_S


class Line:
    """One pump's connection, by a profile that says how its points report and count."""

    def __init__(self, folder: Path, totals: Totals | None = None, /, **entries: str) -> None:
        points = "".join(f"  {name}: {{register: {n}{entry}}}\n" for n, (name, entry) in enumerate(entries.items()))
        text = f"profile: pump-x\nclass: pump\nprotocol: modbus\nsettings: {{unit: 1}}\npoints:\n{points}"
        (folder / "pump-x.yaml").write_text(text, "utf-8")
        site = facility([asset("pump-1", profile="pump-x")])
        rules = {
            number: Rule(id=number, asset_id="pump-1", point_key=point.key, definition=rule)
            for number, rule in enumerate(CLASSES["pump"].rules.values())
            for point in site.points.values()
            if point.name == rule.point
        }
        self.came: list[Delivery] = []
        (self.config,) = driver_configs(
            replace(site, rules=rules),
            load_profiles(folder),
            clock=VirtualClock(),
            deliver=self.came.append,
            totals=totals,
        )
        self.config.status.units["pump-1"] = UnitStatus(asset_id="pump-1")
        self.keys = {point.name: point.key for point in site.points.values()}

    def say(
        self,
        point: str,
        value: float,
        at_ns: int,
        *,
        behind_ns: int = 0,
        acknowledge: Callable[[], None] | None = None,
        events: tuple[DeviceEvent, ...] = (),
    ) -> None:
        row = Sample(self.keys[point], at_ns - behind_ns, at_ns, value, Quality.GOOD)
        batch = SampleBatch.of([row])
        self.config.deliver(Delivery(connection_id="pumps", batch=batch, acknowledge=acknowledge, events=events))

    @property
    def values(self) -> list[float]:
        return [value for delivery in self.came for value in delivery.batch.value.tolist()]


def complaint(folder: Path, **entries: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Line(folder, None, **entries)
    (mistake,) = caught.value.mistakes
    return f"{mistake.file}:{mistake.line}: {mistake.message}"


def test_a_profile_may_let_a_value_report_by_exception_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    line = Line(tmp_path, flow=", report: {absolute: 0.5, heartbeat_s: 30}", running="")
    for second, value in enumerate([20.0, 20.1, 20.2, 21.0]):
        line.say("flow", value, second * NS_PER_S)
        line.say("running", 1.0, second * NS_PER_S)
    assert line.values == [20.0, 1.0, 1.0, 1.0, 21.0, 1.0]
    assert line.config.status.suppressed == 2
    assert line.config.devices[0].mapping["flow"] == {"register": 0}


def test_a_limit_of_the_pump_is_reported_within_any_deadband(tmp_path: Path) -> None:
    line = Line(tmp_path, bearing_temperature=", report: {percent: 50}")
    for second, value in enumerate([78.0, 79.0, 80.5, 79.0]):
        line.say("bearing_temperature", value, second * NS_PER_S)
    assert line.values == [78.0, 80.5, 79.0]


def test_what_a_sender_waits_to_have_acknowledged_goes_on_although_nothing_is_left_of_it(tmp_path: Path) -> None:
    line, done = Line(tmp_path, flow=", report: {absolute: 1}"), []
    line.say("flow", 20.0, 0)
    line.say("flow", 20.0, 1, acknowledge=lambda: done.append("second"))
    line.say("flow", 20.0, 2)
    assert [len(delivery.batch) for delivery in line.came] == [1, 0]
    assert line.came[1].acknowledge is not None
    line.came[1].acknowledge()
    assert done == ["second"]


def test_a_heartbeat_that_looks_like_silence_and_a_deadband_on_a_state_are_told_with_their_line(tmp_path: Path) -> None:
    told = complaint(tmp_path, speed=", report: {absolute: 5, heartbeat_s: 8}")
    assert "pump-x.yaml:6: speed: a heartbeat of 8 s" in told
    assert "write at most 5 s" in told
    assert "always reports" in complaint(tmp_path, flow="", running=", report: {absolute: 1}")
    assert "either 'absolute' or 'percent'" in complaint(tmp_path, flow=", report: {heartbeat_s: 8}")


def test_a_counter_of_16_bits_grows_on_also_when_everything_is_started_again(tmp_path: Path) -> None:
    counters = tmp_path / "counters.json"
    (tmp_path / "a").mkdir()
    entry = ", scale: 0.1, rollover: 65536"
    line = Line(tmp_path / "a", Totals(counters), run_hours=entry)
    line.say("run_hours", 6553.5, 0)
    line.say("run_hours", 0.1, 1)
    again = Line(tmp_path / "a", Totals(counters), run_hours=entry)
    again.say("run_hours", 0.2, 2)
    assert [*line.values, *again.values] == pytest.approx([6553.5, 6553.7, 6553.8])


def test_a_device_whose_clock_was_set_back_is_told_by_the_gateway_s_time(tmp_path: Path) -> None:
    line = Line(tmp_path, flow="", running="")
    unit = line.config.status.units["pump-1"]
    step_ns = round(STEADY_S * NS_PER_S)
    at_ns = 10 * HOUR_NS
    for _ in range(STEADY_MESSAGES):
        at_ns += step_ns
        line.say("flow", 1.0, at_ns, behind_ns=NS_PER_S)
    assert unit.skew_s == pytest.approx(1.0)
    assert unit.clock_jumps == 0
    for number in range(STEADY_MESSAGES + 1):
        at_ns += step_ns
        event = DeviceEvent(
            point=line.keys["flow"],
            source_time_ns=at_ns - HOUR_NS,
            gateway_time_ns=at_ns,
            code=1,
            event_id=str(number),
        )
        line.say("flow", 1.0, at_ns, behind_ns=HOUR_NS, events=(event,))
    last = line.came[-1]
    assert unit.skew_s == pytest.approx(3600.0)
    assert unit.clock_jumps == 1
    assert last.batch.rows() == [Sample(line.keys["flow"], at_ns, at_ns, 1.0, Quality.UNCERTAIN_TIME)]
    assert last.events[0].source_time_ns == at_ns
    assert line.came[STEADY_MESSAGES].batch.quality.tolist() == [Quality.GOOD]


def test_devices_without_a_time_of_their_own_cost_nothing_and_have_no_skew(tmp_path: Path) -> None:
    line = Line(tmp_path, flow="")
    now = np.array([5], np.int64)
    batch = SampleBatch(np.array([line.keys["flow"]], np.int32), now, now, np.ones(1), np.zeros(1, np.uint8))
    delivery = Delivery(connection_id="pumps", batch=batch)
    line.config.deliver(delivery)
    assert line.came == [delivery]
    assert line.config.status.units["pump-1"].skew_s is None
