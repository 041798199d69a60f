"""One pump on its drive, stepped through time, with the faults that pumps have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from simulators.device import check_fault, device_generator
from simulators.lag import approach
from simulators.pumps.hydraulics import OperatingPoint, PumpCurve, SystemCurve, operate
from simulators.pumps.motor import AT_REST, Electrics, Motor, electrics

SECONDS_PER_HOUR = 3600.0


class Readings(NamedTuple):
    """What the drive and its sensors report, in the order of the register map."""

    speed_rpm: float
    flow_m3h: float
    inlet_pressure_bar: float
    """Gauge; may be negative."""
    outlet_pressure_bar: float
    motor_current_a: float
    motor_voltage_v: float
    motor_power_kw: float
    winding_temperature_c: float
    bearing_temperature_c: float
    vibration_mm_s: float
    """RMS velocity on the bearing housing, as ISO 20816-3 judges it."""
    run_hours: float
    starts: int
    running: bool
    seal_leak: bool
    drive_fault: bool
    remote_control: bool
    speed_setpoint_rpm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A pump set as it is bought and installed."""

    curve: PumpCurve
    system: SystemCurve
    motor: Motor
    speed_rpm: float
    """Where the drive holds it until a master sets another speed."""


BUILDING_PUMP = Design(
    curve=PumpCurve(
        shutoff_head_m=31.0,
        head_loss_m_per_m3h2=4.6e-4,
        best_flow_m3h=115.0,
        best_efficiency=0.79,
        npsh_required_m=2.2,
        npsh_growth_m=2.6,
    ),
    system=SystemCurve(
        header_pressure_bar=1.6, static_head_m=4.0, discharge_m_per_m3h2=1.25e-3, suction_m_per_m3h2=1.0e-4
    ),
    motor=Motor(
        rated_power_kw=15.0,
        rated_voltage_v=400.0,
        rated_speed_rpm=1480.0,
        standing_loss_kw=0.45,
        load_loss_kw=0.85,
        magnetising_kvar=6.4,
        leakage_kvar=3.2,
        winding_rise_k_per_kw=48.0,
    ),
    speed_rpm=1465.0,
)
"""A 15 kW end-suction pump of a building: about 117 m³/h at 24 m."""

AMBIENT_C = 24.0
SPREAD = 0.02
"""No two pumps of a make are equal: standard deviation of the pipework's resistance, relative."""

SETPOINT_RPM = (300.0, 1500.0)
"""What the drive takes as a set-point; it refuses the rest."""
RAMP_RPM_S = 300.0
"""How fast the drive changes speed."""
UNDERLOAD_KW = 2.0
UNDERLOAD_TRIP_S = 20.0
"""The drive's own dry-run protection: it stops the pump after so long below so little shaft power."""

FRICTION_KW = 0.15
"""Seal and sound bearings, at rated speed."""
WEAR_FRICTION_KW = 1.3
BEARING_RISE_K = 24.0
WEAR_RISE_K = 95.0
"""Rise of a bearing without a cage left, above that of a sound one."""
DRY_RISE_K = 45.0
"""The seal faces heat the bearing housing when no liquid carries the heat away."""
BEARING_TIME_S = 15.0
"""The sensor sits on the outer ring, which is small and warms long before the housing."""
WINDING_TIME_S = 600.0

VIBRATION_MM_S = 1.1
OFF_DESIGN_MM_S = 0.6
"""Recirculation far from the best efficiency point."""
CAVITATION_MM_S = 7.5
WEAR_MM_S = 9.0
DRY_MM_S = 2.0

CAVITATION_HEAD_LOSS = 0.45
"""Part of the head that fully developed cavitation takes."""
BUBBLE_TIME_S = 0.5

STARVED_HEADER_BAR = -0.70
"""What is left of the suction header's pressure when its supply fails; the water begins to boil in the impeller."""
BLOCKED_RESISTANCE = 300.0
"""Resistance of a clogged strainer over a clean one's."""

LEAK_L_MIN = 2.4
LEAK_SWITCH_L = 0.1
"""The float in the leakage chamber switches here and back at half of it."""
LEAK_CHAMBER_L = 0.3
LEAK_DRAIN_L_S = 0.06

DEMAND_TIME_S = 120.0
DEMAND_SPREAD = 0.03
"""Standard deviation of the pipework's resistance as valves of the building move, relative."""
GRID_TIME_S = 30.0
GRID_SPREAD_V = 1.5

METER_INTERVAL_H = 500.0
"""Maintenance falls due at multiples of this; see ``initial_run_hours``."""

ONSET_S = {"cavitation": 2.5, "blocked_suction": 4.0, "dry_run": 2.0, "bearing_wear": 5.0, "seal_leak": 1.0}
"""Time constant with which each physical fault grows, seconds."""
REPAIR_S = 2.0
"""Time constant with which its cause goes away after a repair."""


class Pump:
    """A centrifugal pump with its motor and drive.

    ``cavitation`` starves the suction header; ``blocked_suction`` clogs the strainer; ``dry_run`` empties the casing;
    its drive trips after ``UNDERLOAD_TRIP_S``; ``bearing_wear`` eats the cage; ``seal_leak`` fills the leakage chamber;
    ``communication_loss`` silences the drive while the pump runs on.
    """

    faults: ClassVar[frozenset[str]] = frozenset(ONSET_S) | {"communication_loss"}

    def __init__(
        self, asset_id: str, *, seed: int, run_hours: float | None = None, design: Design = BUILDING_PUMP
    ) -> None:
        """Start a pump that has been running long enough to be warm.

        Args:
            asset_id: Its name.
            seed: The simulation's seed; the pump's own chance derives from it and the name.
            run_hours: What its meter shows at the start; ``None``: ``initial_run_hours`` draws it.
            design: What kind of pump it is.
        """
        self.asset_id = asset_id
        self._chance = device_generator(seed, asset_id)
        self.design = self._installed(design)
        self.run_hours = initial_run_hours(self._chance) if run_hours is None else run_hours
        self.starts = int(self._chance.integers(40, 400))
        self._active: set[str] = set()
        self._severity = dict.fromkeys(ONSET_S, 0.0)
        self._speed_rpm = self._setpoint_rpm = design.speed_rpm
        self._tripped = False
        self._underload_s = 0.0
        self._bubbles = 0.0
        self._leakage_l = 0.0
        self._leak_switch = False
        self._demand = 0.0
        self._grid_v = 0.0
        self._noise: npt.NDArray[np.float64] = np.zeros(len(Readings._fields))
        self.point = self._operate()
        self.electrics = self._electrics()
        self._winding_c = AMBIENT_C + design.motor.winding_rise_k_per_kw * self.electrics.loss_kw
        self._bearing_c = self._bearing_target_c()

    @property
    def silent(self) -> bool:
        """Return whether the drive has stopped answering."""
        return "communication_loss" in self._active

    @property
    def running(self) -> bool:
        """Return whether the drive feeds the motor."""
        return not self._tripped

    def set_speed(self, speed_rpm: float) -> bool:
        """Take a new set-point; return whether the drive accepts it."""
        low, high = SETPOINT_RPM
        if not low <= speed_rpm <= high:  # NaN neither
            return False
        self._setpoint_rpm = speed_rpm
        return True

    def inject(self, fault: str, now_ns: int) -> None:  # noqa: ARG002  # part of the protocol; nothing starts late
        """Start a fault of ``faults``; starting it again changes nothing."""
        check_fault(self, fault)
        self._active.add(fault)

    def clear(self, fault: str, now_ns: int) -> None:  # noqa: ARG002  # part of the protocol
        """End a fault; a drive that had tripped on it is reset and starts again."""
        self._active.discard(fault)
        if fault == "dry_run" and self._tripped:
            self._tripped = False
            self._underload_s = 0.0
            self.starts += 1

    def step(self, now_ns: int, dt_s: float) -> None:  # noqa: ARG002  # part of the protocol; all state is relative
        """Advance by ``dt_s`` facility seconds."""
        self._draw(dt_s)
        self._grow(dt_s)
        self._turn(dt_s)
        self.point = self._operate()
        self._bubbles = approach(self._bubbles, self.point.cavitation, dt_s, BUBBLE_TIME_S)
        self.electrics = self._electrics()
        self._warm(dt_s)
        self._leak(dt_s)
        self._protect(dt_s)
        if self.running:
            self.run_hours += dt_s / SECONDS_PER_HOUR

    def readings(self) -> Readings:
        """Return what the sensors show now, noise included."""
        noise, point, bubbles = self._noise, self.point, self._bubbles
        turning = self._speed_rpm > 0
        flow_noise = (0.4 + 6.0 * bubbles) * noise[0] if point.flow_m3h > 0 else 0.0
        return Readings(
            speed_rpm=self._speed_rpm + (0.8 * noise[1] if turning else 0.0),
            flow_m3h=max(point.flow_m3h + flow_noise, 0.0),
            inlet_pressure_bar=point.inlet_pressure_bar + 0.004 * noise[2],
            outlet_pressure_bar=point.outlet_pressure_bar + (0.006 + 0.06 * bubbles) * noise[3],
            motor_current_a=max(self.electrics.current_a * (1 + 0.004 * noise[4]), 0.0),
            motor_voltage_v=self._voltage_v(),
            motor_power_kw=max(self.electrics.power_kw * (1 + 0.004 * noise[5]), 0.0),
            winding_temperature_c=self._winding_c + 0.05 * noise[6],
            bearing_temperature_c=self._bearing_c + 0.05 * noise[7],
            vibration_mm_s=self._vibration_mm_s() * (1 + (0.04 + 0.06 * bubbles) * noise[8]),
            run_hours=self.run_hours,
            starts=self.starts,
            running=self.running,
            seal_leak=self._leak_switch,
            drive_fault=self._tripped,
            remote_control=True,
            speed_setpoint_rpm=self._setpoint_rpm,
        )

    def _installed(self, design: Design) -> Design:
        resistance = design.system.discharge_m_per_m3h2 * (1 + SPREAD * self._chance.standard_normal())
        return replace(design, system=replace(design.system, discharge_m_per_m3h2=float(resistance)))

    def _draw(self, dt_s: float) -> None:
        """Draw this step's chance: as many numbers whatever the faults, so that they do not shift the sequence."""
        # Beyond three standard deviations a sensor's own filter would not follow either.
        self._noise = np.clip(self._chance.standard_normal(len(Readings._fields)), -3.0, 3.0)
        self._demand = _wander(self._demand, self._noise[9], dt_s, DEMAND_TIME_S, DEMAND_SPREAD)
        self._grid_v = _wander(self._grid_v, self._noise[10], dt_s, GRID_TIME_S, GRID_SPREAD_V)

    def _grow(self, dt_s: float) -> None:
        for fault, onset_s in ONSET_S.items():
            target, time_s = (1.0, onset_s) if fault in self._active else (0.0, REPAIR_S)
            self._severity[fault] = approach(self._severity[fault], target, dt_s, time_s)

    def _turn(self, dt_s: float) -> None:
        wanted = self._setpoint_rpm if self.running else 0.0
        change = RAMP_RPM_S * dt_s
        self._speed_rpm = min(max(wanted, self._speed_rpm - change), self._speed_rpm + change)

    def _operate(self) -> OperatingPoint:
        return operate(
            self.design.curve,
            self._system(),
            relative_speed=self._relative_speed(),
            head_factor=1.0 - CAVITATION_HEAD_LOSS * self._bubbles,
            fill=1.0 - self._severity["dry_run"],
        )

    def _system(self) -> SystemCurve:
        """Return the pipework as the building's valves and the faults have made it."""
        system, starved, dry = self.design.system, self._severity["cavitation"], self._severity["dry_run"]
        header = (system.header_pressure_bar * (1 - starved) + STARVED_HEADER_BAR * starved) * (1 - dry)
        return SystemCurve(
            header_pressure_bar=header,
            static_head_m=system.static_head_m,
            discharge_m_per_m3h2=system.discharge_m_per_m3h2 * (1 + self._demand),
            suction_m_per_m3h2=system.suction_m_per_m3h2 * BLOCKED_RESISTANCE ** self._severity["blocked_suction"],
        )

    def _relative_speed(self) -> float:
        return self._speed_rpm / self.design.motor.rated_speed_rpm

    def _voltage_v(self) -> float:
        return self.design.motor.rated_voltage_v + self._grid_v

    def _electrics(self) -> Electrics:
        if not self.running or self._speed_rpm <= 0:
            return AT_REST
        friction = (FRICTION_KW + WEAR_FRICTION_KW * self._severity["bearing_wear"]) * self._relative_speed()
        return electrics(self.design.motor, self.point.shaft_power_kw + friction, self._voltage_v())

    def _warm(self, dt_s: float) -> None:
        winding = AMBIENT_C + self.design.motor.winding_rise_k_per_kw * self.electrics.loss_kw
        self._winding_c = approach(self._winding_c, winding, dt_s, WINDING_TIME_S)
        self._bearing_c = approach(self._bearing_c, self._bearing_target_c(), dt_s, BEARING_TIME_S)

    def _bearing_target_c(self) -> float:
        rise = BEARING_RISE_K + WEAR_RISE_K * self._severity["bearing_wear"] + DRY_RISE_K * self._severity["dry_run"]
        return AMBIENT_C + rise * self._relative_speed()

    def _vibration_mm_s(self) -> float:
        relative_speed = self._relative_speed()
        off_design = abs(self.point.flow_m3h / self.design.curve.best_flow_m3h - relative_speed)
        sources = (
            VIBRATION_MM_S
            + OFF_DESIGN_MM_S * off_design
            + CAVITATION_MM_S * self._bubbles
            + WEAR_MM_S * self._severity["bearing_wear"]
            + DRY_MM_S * self._severity["dry_run"]
        )
        return sources * relative_speed**2

    def _leak(self, dt_s: float) -> None:
        inflow_l = self._severity["seal_leak"] * LEAK_L_MIN / 60 * dt_s
        drained_l = 0.0 if "seal_leak" in self._active else LEAK_DRAIN_L_S * dt_s
        self._leakage_l = min(max(self._leakage_l + inflow_l - drained_l, 0.0), LEAK_CHAMBER_L)
        self._leak_switch = self._leakage_l > (LEAK_SWITCH_L / 2 if self._leak_switch else LEAK_SWITCH_L)

    def _protect(self, dt_s: float) -> None:
        underloaded = self.running and self.point.shaft_power_kw < UNDERLOAD_KW
        self._underload_s = self._underload_s + dt_s if underloaded else 0.0
        self._tripped = self._tripped or self._underload_s >= UNDERLOAD_TRIP_S


def initial_run_hours(chance: np.random.Generator) -> float:
    """Draw a meter reading that stays clear of the next multiple of ``METER_INTERVAL_H`` for at least 50 h."""
    return METER_INTERVAL_H * int(chance.integers(2, 20)) + float(chance.uniform(50.0, METER_INTERVAL_H - 50.0))


def _wander(value: float, draw: float, dt_s: float, time_constant_s: float, spread: float) -> float:
    """Return the next value of a mean-reverting random walk (Ornstein-Uhlenbeck), exact for any step."""
    decay = approach(1.0, 0.0, dt_s, time_constant_s)
    return float(value * decay + spread * np.sqrt(1 - decay**2) * draw)
