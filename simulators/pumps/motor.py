"""The electric side of a pump: an induction motor behind a drive, and how warm it gets."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Motor:
    """A three-phase induction motor."""

    rated_power_kw: float
    """At the shaft."""
    rated_voltage_v: float
    """Between the phases."""
    rated_speed_rpm: float
    standing_loss_kw: float
    """Iron and windage, at rated voltage."""
    load_loss_kw: float
    """Copper, at rated load; grows with the square of the load."""
    magnetising_kvar: float
    """Reactive power at no load and rated voltage."""
    leakage_kvar: float
    """What rated load adds to it; grows with the square of the load."""
    winding_rise_k_per_kw: float
    """Steady rise of the winding above ambient for each kilowatt lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrics:
    """What the drive measures."""

    power_kw: float
    """Active power taken in."""
    current_a: float
    """In each phase."""
    power_factor: float
    loss_kw: float
    """The part of the power that heats the motor."""


AT_REST = Electrics(power_kw=0.0, current_a=0.0, power_factor=0.0, loss_kw=0.0)


def electrics(motor: Motor, shaft_power_kw: float, voltage_v: float) -> Electrics:
    """Return power, current and power factor of a turning motor: ``I = S/(√3·U)`` with ``S² = P² + Q²``."""
    load = shaft_power_kw / motor.rated_power_kw
    relative_voltage = voltage_v / motor.rated_voltage_v
    loss = motor.standing_loss_kw * relative_voltage**2 + motor.load_loss_kw * (load / relative_voltage) ** 2
    active = shaft_power_kw + loss
    reactive = motor.magnetising_kvar * relative_voltage**2 + motor.leakage_kvar * (load / relative_voltage) ** 2
    apparent = math.hypot(active, reactive)
    return Electrics(
        power_kw=active,
        current_a=apparent * 1000 / (math.sqrt(3) * voltage_v),
        power_factor=active / apparent,
        loss_kw=loss,
    )
