"""The gearless machine: motor current from torque, winding temperature, and the vibration of its bearings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulators.lifts.motion import Kinematics

GRAVITY_M_S2 = 9.81


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineParameters:
    """A permanent-magnet machine for a 1000 kg passenger lift at 2.5 m/s."""

    car_mass_kg: float = 1350.0
    rated_load_kg: float = 1000.0
    balance: float = 0.5
    """Part of the rated load that the counterweight balances."""
    friction_n: float = 350.0
    """Guide shoes and ropes, always against the motion."""
    roping: float = 2.0
    """2:1, so the sheave sees half the force at twice the speed."""
    sheave_radius_m: float = 0.24
    torque_constant_nm_a: float = 22.0
    magnetising_current_a: float = 1.2
    winding_resistance_ohm: float = 0.45
    """Per phase, warm."""
    thermal_resistance_k_w: float = 0.11
    """Winding to machine room."""
    thermal_time_constant_s: float = 2400.0
    machine_room_c: float = 26.0
    rated_speed_m_s: float = 2.5

    @property
    def counterweight_kg(self) -> float:
        """Return the mass on the other end of the ropes."""
        return self.car_mass_kg + self.balance * self.rated_load_kg


@dataclass(frozen=True, slots=True, kw_only=True)
class BearingParameters:
    """How the machine's vibration speaks of its bearings; velocity RMS as in ISO 20816-1."""

    healthy_mm_s: float = 0.8
    """At rated speed with new bearings."""
    worn_mm_s: float = 14.0
    """What complete wear adds at rated speed."""
    life_h: float = 40_000.0
    """Running hours until wear is complete without a fault (the L10 life that machine makers promise)."""
    accelerated_life_s: float = 40.0
    """The same with an injected fault: weeks of a failing bearing in less than a minute."""
    averaging_s: float = 2.0
    """Time constant of the sensor's RMS."""
    noise: float = 0.04
    """Relative standard deviation of one reading."""
    measured_above: float = 0.15
    """Part of rated speed below which the sensor keeps its last reading: a standing machine says nothing."""


class Machine:
    """Motor and bearings of one lift."""

    def __init__(self, parameters: MachineParameters, bearing: BearingParameters, chance: np.random.Generator) -> None:
        self.current_a = 0.0
        self.temperature_c = parameters.machine_room_c + float(chance.uniform(4.0, 14.0))
        """Winding temperature; a lift that is switched on has been running before."""
        self.vibration_mm_s = bearing.healthy_mm_s * float(chance.uniform(0.6, 0.9))
        self.wear = float(chance.uniform(0.0, 0.03))
        """0 for new bearings, 1 for worn ones."""
        self.wearing = False
        """A bearing fault makes the wear fast."""
        self._parameters = parameters
        self._bearing = bearing
        self._chance = chance

    def replace_bearings(self) -> None:
        """Begin again with new bearings."""
        self.wear = 0.0
        self.wearing = False

    def step(self, car: Kinematics, load_kg: float, *, running: bool, dt_s: float) -> None:
        """Advance current, temperature, wear and vibration."""
        self.current_a = motor_current_a(self._parameters, car, load_kg) if running else 0.0
        self._warm(dt_s)
        self._wear(dt_s, running=running)
        self._vibrate(abs(car.speed_m_s), dt_s)

    def _warm(self, dt_s: float) -> None:
        """First-order thermal model, exact for a step of any length."""
        p = self._parameters
        losses_w = 3.0 * self.current_a**2 * p.winding_resistance_ohm
        steady_c = p.machine_room_c + losses_w * p.thermal_resistance_k_w
        self.temperature_c += (steady_c - self.temperature_c) * -math.expm1(-dt_s / p.thermal_time_constant_s)

    def _wear(self, dt_s: float, *, running: bool) -> None:
        if self.wearing:
            self.wear = min(1.0, self.wear + dt_s / self._bearing.accelerated_life_s)
        elif running:
            self.wear = min(1.0, self.wear + dt_s / (self._bearing.life_h * 3600.0))

    def _vibrate(self, speed_m_s: float, dt_s: float) -> None:
        b = self._bearing
        share = speed_m_s / self._parameters.rated_speed_m_s
        if share < b.measured_above:
            return
        # Velocity RMS grows with the square root of speed: unbalance with its square, but rolling noise hardly at all.
        level = (b.healthy_mm_s + b.worn_mm_s * self.wear) * math.sqrt(share)
        reading = level * (1.0 + b.noise * float(self._chance.standard_normal()))
        self.vibration_mm_s += (max(0.0, reading) - self.vibration_mm_s) * -math.expm1(-dt_s / b.averaging_s)


def motor_current_a(parameters: MachineParameters, car: Kinematics, load_kg: float) -> float:
    """Return the phase current that holds, lifts and accelerates car, load and counterweight."""
    p = parameters
    unbalanced_kg = p.car_mass_kg + load_kg - p.counterweight_kg
    moved_kg = p.car_mass_kg + load_kg + p.counterweight_kg
    friction_n = math.copysign(p.friction_n, car.speed_m_s) if car.speed_m_s else 0.0
    force_n = unbalanced_kg * GRAVITY_M_S2 + moved_kg * car.acceleration_m_s2 + friction_n
    torque_nm = force_n * p.sheave_radius_m / p.roping
    return math.hypot(torque_nm / p.torque_constant_nm_a, p.magnetising_current_a)
