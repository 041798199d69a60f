"""Fires grow, smoke spreads zone by zone, detectors alarm and latch, and the panel shows the worst."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from simulators.fire.building import Building, Place, delay_s, distance_m
from simulators.fire.devices import CallPoint, Detector, FirePump, Panel
from simulators.fire.smoke import (
    ALARM_HEAT_C,
    ALARM_OBSCURATION,
    MAX_OBSCURATION,
    PRE_ALARM_OBSCURATION,
    LifeSafety,
    ceiling_rise_k,
    classify,
    heat_release_kw,
    obscuration_of_rise,
)

STEP_S = 0.1
places = st.builds(Place, zone=st.integers(1, 4), index=st.integers(1, 6))


@dataclass
class System:
    """A panel with four zones of six detectors and four call points, as Harbour Tower has it."""

    detectors: dict[str, Detector]
    call_points: dict[str, CallPoint]
    panel: Panel
    now_ns: int = 0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.now_ns += round(STEP_S * NS_PER_S)
            for device in (*self.detectors.values(), *self.call_points.values(), self.panel):
                device.step(self.now_ns, STEP_S)

    def inject(self, device: str, fault: str) -> None:
        self._device(device).inject(fault, self.now_ns)

    def clear(self, device: str, fault: str) -> None:
        self._device(device).clear(fault, self.now_ns)

    def in_alarm(self) -> set[str]:
        return {name for name, detector in self.detectors.items() if detector.state is LifeSafety.ALARM}

    def panel_state(self) -> LifeSafety:
        return self.panel.state

    def _device(self, name: str) -> Detector | CallPoint | Panel:
        if name == self.panel.asset_id:
            return self.panel
        return self.detectors[name] if name in self.detectors else self.call_points[name]


def harbour_tower(seed: int = 1) -> System:
    building = Building()
    detectors = {
        f"detector-{zone}0{index}": Detector(f"detector-{zone}0{index}", Place(zone, index), building, seed=seed)
        for zone in range(1, 5)
        for index in range(1, 7)
    }
    call_points = {f"call-point-1{zone}": CallPoint(f"call-point-1{zone}") for zone in range(1, 5)}
    panel = Panel("fire-panel-1", list(detectors.values()), list(call_points.values()))
    return System(detectors, call_points, panel)


@given(age_s=st.floats(-10, 1000), longer_s=st.floats(0, 100))
def test_a_fire_that_nobody_fights_never_shrinks(age_s: float, longer_s: float) -> None:
    assert 0 <= heat_release_kw(age_s) <= heat_release_kw(age_s + longer_s)


@given(release_kw=st.floats(0, 2000), near_m=st.floats(0.7, 50), further_m=st.floats(0, 50))
def test_the_ceiling_cools_with_the_distance_from_the_fire(release_kw: float, near_m: float, further_m: float) -> None:
    assert ceiling_rise_k(release_kw, near_m) >= ceiling_rise_k(release_kw, near_m + further_m) >= 0


@given(rise_k=st.floats(0, 2000))
def test_obscuration_is_a_part_of_the_light(rise_k: float) -> None:
    assert 0 <= obscuration_of_rise(rise_k) <= MAX_OBSCURATION


@given(obscuration=st.floats(0, 40), heat_c=st.floats(-20, 200), more=st.floats(0, 40))
def test_more_smoke_never_calms_a_detector(obscuration: float, heat_c: float, more: float) -> None:
    assert classify(obscuration + more, heat_c) >= classify(obscuration, heat_c)


@given(fire=places, one=places)
def test_smoke_reaches_the_next_zone_after_the_own(fire: Place, one: Place) -> None:
    assert distance_m(fire, one) >= distance_m(fire, fire) > 0
    if one.zone != fire.zone:
        assert delay_s(fire, one) > delay_s(fire, Place(fire.zone, one.index))


def test_heat_alone_alarms_too() -> None:
    assert classify(0.0, ALARM_HEAT_C) is LifeSafety.ALARM


@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_building_stays_quiet(seed: int) -> None:
    tower = harbour_tower(seed)
    tower.run(120)
    assert tower.panel_state() is LifeSafety.QUIET
    assert not tower.panel.trouble
    assert all(detector.obscuration < 0.5 for detector in tower.detectors.values())
    assert all(detector.alarm_ns is None for detector in tower.detectors.values())


def test_a_fire_reaches_its_detector_then_the_zone_then_the_next() -> None:
    tower = harbour_tower()
    tower.run(5)
    tower.inject("detector-203", "fire")
    tower.run(10)
    assert tower.in_alarm() == {"detector-203"}
    assert tower.panel_state() is LifeSafety.ALARM
    tower.run(35)
    assert tower.in_alarm() == {f"detector-20{index}" for index in range(1, 7)}
    tower.run(50)
    zones = {name[:10] for name in tower.in_alarm()}
    assert {"detector-1", "detector-2", "detector-3"} <= zones
    assert "detector-4" not in zones


def test_heat_opens_the_sprinkler_which_starts_the_fire_pump_and_takes_the_fire_down() -> None:
    tower = harbour_tower()
    tower.inject("detector-203", "fire")
    tower.run(40)
    assert not tower.panel.sprinkler_flow
    assert tower.panel.fire_pump is FirePump.STOPPED
    tower.run(40)
    assert tower.panel.sprinkler_flow
    assert tower.panel.fire_pump is FirePump.RUNNING
    hot_c = tower.detectors["detector-203"].heat_c
    tower.run(60)
    assert tower.detectors["detector-203"].heat_c < hot_c
    tower.clear("detector-203", "fire")
    tower.run(1)
    assert not tower.panel.sprinkler_flow
    assert tower.panel.fire_pump is FirePump.STOPPED


def test_an_alarm_stays_until_the_fire_is_out_and_leaves_with_the_smoke() -> None:
    tower = harbour_tower()
    tower.inject("detector-203", "fire")
    tower.run(90)
    assert tower.detectors["detector-203"].state is LifeSafety.ALARM
    tower.clear("detector-203", "fire")
    shown = []
    for _ in range(150):
        tower.run(STEP_S)
        shown.append(tower.panel_state())
    assert set(shown) == {LifeSafety.ALARM, LifeSafety.QUIET}
    assert shown[-1] is LifeSafety.QUIET


def test_a_false_alarm_speaks_for_one_detector_and_resets_while_a_fire_burns_elsewhere() -> None:
    tower = harbour_tower()
    tower.inject("detector-404", "false_alarm")
    tower.run(5)
    assert tower.in_alarm() == {"detector-404"}
    assert tower.detectors["detector-404"].heat_c < 25
    tower.inject("detector-203", "fire")
    tower.run(10)
    assert tower.in_alarm() == {"detector-203", "detector-404"}
    tower.clear("detector-404", "false_alarm")
    tower.run(4)
    assert tower.in_alarm() == {"detector-203"}


def test_a_dirty_detector_drifts_towards_pre_alarm_without_reaching_it() -> None:
    tower = harbour_tower()
    tower.inject("detector-105", "dirty")
    tower.run(120)
    assert 1.5 < tower.detectors["detector-105"].obscuration < PRE_ALARM_OBSCURATION
    assert tower.panel_state() is LifeSafety.QUIET
    tower.clear("detector-105", "dirty")
    tower.run(30)
    assert tower.detectors["detector-105"].obscuration < 0.5


def test_dust_settles_over_the_year_without_an_alarm() -> None:
    detector = Detector("detector-101", Place(1, 1), Building(), seed=1)
    clean = detector.obscuration
    for hour in range(24 * 365):
        detector.step(hour * 3600 * NS_PER_S, 3600.0)
    assert 0.3 < detector.obscuration - clean < PRE_ALARM_OBSCURATION


def test_an_open_loop_takes_zone_3_off_and_troubles_the_panel() -> None:
    tower = harbour_tower()
    tower.inject("fire-panel-1", "loop_open")
    tower.run(1)
    off = {name for name, detector in tower.detectors.items() if detector.state is LifeSafety.FAULT}
    assert off == {f"detector-30{index}" for index in range(1, 7)}
    assert tower.panel.trouble
    assert tower.panel_state() is LifeSafety.FAULT
    tower.clear("fire-panel-1", "loop_open")
    tower.run(1)
    assert tower.panel_state() is LifeSafety.QUIET


def test_a_fire_hides_a_fault_on_the_panel() -> None:
    tower = harbour_tower()
    tower.inject("fire-panel-1", "mains_failure")
    tower.inject("detector-101", "fire")
    tower.run(20)
    assert tower.panel.mains_failure
    assert tower.panel.trouble
    assert tower.panel_state() is LifeSafety.ALARM


def test_a_call_point_alarms_at_once_and_remembers_when() -> None:
    tower = harbour_tower()
    tower.run(1)
    tower.inject("call-point-12", "activated")
    tower.run(STEP_S)
    assert tower.call_points["call-point-12"].alarm_ns == tower.now_ns
    assert tower.panel_state() is LifeSafety.ALARM
    tower.clear("call-point-12", "activated")
    tower.run(STEP_S)
    assert tower.panel_state() is LifeSafety.QUIET


def test_a_detector_remembers_when_it_went_into_alarm() -> None:
    tower = harbour_tower()
    tower.inject("detector-101", "false_alarm")
    tower.run(5)
    at_ns = tower.detectors["detector-101"].alarm_ns
    assert at_ns is not None
    assert 0 < at_ns < 3 * NS_PER_S
    assert tower.detectors["detector-101"].obscuration > ALARM_OBSCURATION


@given(seed=st.integers(0, 2**32), at=st.sampled_from(["detector-101", "detector-306", "detector-404"]))
def test_the_same_seed_gives_the_same_fire(seed: int, at: str) -> None:
    one, other = harbour_tower(seed), harbour_tower(seed)
    for tower in (one, other):
        tower.inject(at, "fire")
        tower.run(1.0)
    shown = [[(d.obscuration, d.heat_c, d.state) for d in tower.detectors.values()] for tower in (one, other)]
    assert shown[0] == shown[1]


def test_a_detector_refuses_a_fault_that_it_cannot_suffer() -> None:
    with pytest.raises(ValueError, match="'cavitation'; it can suffer dirty, false_alarm, fire"):
        harbour_tower().inject("detector-101", "cavitation")
