"""A pump obeys its curves, warms, wears and recovers; its faults cross the limits of its class."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.pumps.hydraulics import SystemCurve, operate, pump_head_m
from simulators.pumps.motor import electrics
from simulators.pumps.pump import BUILDING_PUMP, ONSET_S, UNDERLOAD_TRIP_S, Pump, Readings

STEP_S = 0.1
CURVE = BUILDING_PUMP.curve

speeds = st.floats(0.0, 1.2)
parts = st.floats(0.0, 1.0)
systems = st.builds(
    SystemCurve,
    header_pressure_bar=st.floats(-0.9, 5.0),
    static_head_m=st.floats(0.0, 40.0),
    discharge_m_per_m3h2=st.floats(1e-3, 1.0),
    suction_m_per_m3h2=st.floats(1e-5, 1.0),
)


def run(pump: Pump, seconds: float) -> list[Readings]:
    """Step a pump and return what it showed after each step."""
    shown = []
    for _ in range(round(seconds / STEP_S)):
        pump.step(0, STEP_S)
        shown.append(pump.readings())
    return shown


@given(system=systems, relative_speed=speeds, head_factor=parts, fill=parts)
def test_water_never_flows_back_and_never_below_a_vacuum(
    system: SystemCurve, relative_speed: float, head_factor: float, fill: float
) -> None:
    point = operate(CURVE, system, relative_speed=relative_speed, head_factor=head_factor, fill=fill)
    assert point.flow_m3h >= 0
    assert point.inlet_pressure_bar >= -1.0
    assert 0 <= point.cavitation <= 1


@given(system=systems, relative_speed=st.floats(0.05, 1.2), head_factor=parts, fill=st.floats(0.05, 1.0))
def test_no_pump_gives_more_power_than_it_takes(
    system: SystemCurve, relative_speed: float, head_factor: float, fill: float
) -> None:
    point = operate(CURVE, system, relative_speed=relative_speed, head_factor=head_factor, fill=fill)
    assert 0 <= point.hydraulic_power_kw <= point.shaft_power_kw * CURVE.best_efficiency + 1e-9
    assert point.efficiency <= CURVE.best_efficiency + 1e-9


@given(shaft_kw=st.floats(0.0, 20.0), voltage_v=st.floats(340.0, 440.0))
def test_the_motor_takes_shaft_power_and_losses_and_the_current_that_carries_them(
    shaft_kw: float, voltage_v: float
) -> None:
    motor = electrics(BUILDING_PUMP.motor, shaft_kw, voltage_v)
    assert motor.power_kw == pytest.approx(shaft_kw + motor.loss_kw)
    assert 0 < motor.power_factor < 1
    assert motor.current_a * voltage_v * math.sqrt(3) / 1000 * motor.power_factor == pytest.approx(motor.power_kw)


@given(relative_speed=st.floats(0.3, 1.2), flow_m3h=st.floats(0.0, 200.0))
def test_head_and_flow_follow_the_affinity_laws(relative_speed: float, flow_m3h: float) -> None:
    scaled = pump_head_m(CURVE, flow_m3h * relative_speed, relative_speed)
    assert scaled == pytest.approx(pump_head_m(CURVE, flow_m3h, 1.0) * relative_speed**2, abs=1e-9)


@given(system=systems, relative_speed=st.floats(0.3, 1.2))
def test_pump_and_system_agree_where_nothing_boils(system: SystemCurve, relative_speed: float) -> None:
    point = operate(CURVE, system, relative_speed=relative_speed, head_factor=1.0, fill=1.0)
    choked = point.inlet_pressure_bar < -0.985
    if point.flow_m3h > 0 and not choked:
        assert point.head_m == pytest.approx(pump_head_m(CURVE, point.flow_m3h, relative_speed), rel=1e-6)


@given(seed=st.integers(0, 2**32), faults=st.lists(st.sampled_from(sorted(Pump.faults)), max_size=3))
def test_the_same_seed_gives_the_same_pump(seed: int, faults: list[str]) -> None:
    one, other = Pump("pump-1", seed=seed), Pump("pump-1", seed=seed)
    for fault in faults:
        one.inject(fault, 0)
        other.inject(fault, 0)
    assert run(one, 2.0) == run(other, 2.0)


def test_two_pumps_of_one_building_differ() -> None:
    assert run(Pump("pump-1", seed=7), 1.0) != run(Pump("pump-2", seed=7), 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_pump_stays_within_every_limit(seed: int) -> None:
    for shown in run(Pump("pump-1", seed=seed), 300.0):
        assert shown.vibration_mm_s < 4.0
        assert shown.inlet_pressure_bar > 0.4
        assert shown.flow_m3h > 50
        assert shown.bearing_temperature_c < 75
        assert shown.winding_temperature_c < 115
        assert shown.motor_current_a < 31
        assert (shown.running, shown.seal_leak, shown.drive_fault) == (True, False, False)


CROSSINGS: dict[str, Callable[[Readings], bool]] = {
    "cavitation": lambda shown: shown.vibration_mm_s > 4.5 and shown.inlet_pressure_bar < -0.3,
    "blocked_suction": lambda shown: shown.inlet_pressure_bar < -0.3,
    "dry_run": lambda shown: shown.flow_m3h < 5,
    "bearing_wear": lambda shown: shown.vibration_mm_s > 7.1 and shown.bearing_temperature_c > 80,
    "seal_leak": lambda shown: shown.seal_leak,
}
"""Fault to what the rules of `facility/classes/pump.yaml` wait for."""


@pytest.mark.parametrize("fault", sorted(ONSET_S))
def test_each_fault_crosses_its_limit_soon_and_clears_after_the_repair(fault: str) -> None:
    pump = Pump("pump-1", seed=3)
    assert not any(CROSSINGS[fault](shown) for shown in run(pump, 10.0))
    pump.inject(fault, 0)
    assert CROSSINGS[fault](run(pump, 15.0)[-1])
    pump.clear(fault, 0)
    healthy = run(pump, 60.0)[-1]
    assert not CROSSINGS[fault](healthy)
    assert healthy.vibration_mm_s < 2
    assert healthy.flow_m3h > 100


def test_cavitation_takes_head_and_makes_the_flow_restless() -> None:
    pump = Pump("pump-1", seed=3)
    quiet = [shown.flow_m3h for shown in run(pump, 20.0)]
    head_m = pump.point.head_m
    pump.inject("cavitation", 0)
    loud = [shown.flow_m3h for shown in run(pump, 40.0)[200:]]
    assert pump.point.head_m < 0.8 * head_m
    assert max(loud) - min(loud) > 3 * (max(quiet) - min(quiet))


def test_a_pump_that_runs_dry_is_stopped_by_its_drive_and_starts_again_after_the_repair() -> None:
    pump = Pump("pump-1", seed=3)
    starts = pump.starts
    pump.inject("dry_run", 0)
    tripped = run(pump, UNDERLOAD_TRIP_S + 15.0)[-1]
    assert (tripped.running, tripped.drive_fault, tripped.speed_rpm, tripped.motor_current_a) == (False, True, 0.0, 0.0)
    hours = pump.run_hours
    pump.clear("dry_run", 0)
    again = run(pump, 15.0)[-1]
    assert (again.running, again.drive_fault, again.starts) == (True, False, starts + 1)
    assert again.run_hours > hours


def test_the_meter_counts_hours_and_can_be_set() -> None:
    pump = Pump("pump-1", seed=3, run_hours=499.996)
    assert run(pump, 14.0)[-1].run_hours < 500
    assert run(pump, 1.0)[-1].run_hours > 500


@given(seed=st.integers(0, 2**32))
def test_a_meter_that_nobody_set_is_far_from_its_next_service(seed: int) -> None:
    assert 50 <= Pump("pump-1", seed=seed).run_hours % 500 <= 450


def test_a_pump_refuses_a_fault_that_it_cannot_suffer() -> None:
    with pytest.raises(ValueError, match="cannot suffer 'overspeed'; it can suffer bearing_wear"):
        Pump("pump-1", seed=3).inject("overspeed", 0)
