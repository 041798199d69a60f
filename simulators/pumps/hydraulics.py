"""The water side of a centrifugal pump: its curve against the system's, suction, cavitation and power.

Pure functions of quantities with units in their names. Formulas follow Gülich, *Centrifugal Pumps* (3rd ed., 2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GRAVITY_M_S2 = 9.81
WATER_DENSITY_KG_M3 = 998.2
"""At 20 °C."""
VAPOUR_PRESSURE_BAR = 0.0234
"""Absolute, of water at 20 °C."""
ATMOSPHERE_BAR = 1.013
PASCAL_PER_BAR = 1e5
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpCurve:
    """What the impeller gives, at rated speed."""

    shutoff_head_m: float
    head_loss_m_per_m3h2: float
    """Fall of the head with the square of the flow."""
    best_flow_m3h: float
    """Flow at the best efficiency point."""
    best_efficiency: float
    npsh_required_m: float
    """Suction head that the pump needs at no flow."""
    npsh_growth_m: float
    """What it needs on top at the best efficiency point; grows with the square of the flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemCurve:
    """What the pipework takes."""

    header_pressure_bar: float
    """Gauge pressure of the header that feeds the pump."""
    static_head_m: float
    discharge_m_per_m3h2: float
    """Resistance of everything after the pump."""
    suction_m_per_m3h2: float
    """Resistance between header and pump, a dirty strainer included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Where the pump's and the system's curve meet."""

    flow_m3h: float
    head_m: float
    inlet_pressure_bar: float
    """Gauge; may be negative."""
    outlet_pressure_bar: float
    """Gauge."""
    hydraulic_power_kw: float
    shaft_power_kw: float
    cavitation: float
    """0 none to 1 fully developed, from suction head available against required."""

    @property
    def efficiency(self) -> float:
        """Return hydraulic over shaft power; 0 at standstill."""
        return self.hydraulic_power_kw / self.shaft_power_kw if self.shaft_power_kw > 0 else 0.0


def bar_of_head(head_m: float, density_kg_m3: float = WATER_DENSITY_KG_M3) -> float:
    """Return the pressure under a column of liquid."""
    return density_kg_m3 * GRAVITY_M_S2 * head_m / PASCAL_PER_BAR


def head_of_bar(pressure_bar: float) -> float:
    """Return the height of the water column that makes this pressure."""
    return pressure_bar * PASCAL_PER_BAR / (WATER_DENSITY_KG_M3 * GRAVITY_M_S2)


def pump_head_m(curve: PumpCurve, flow_m3h: float, relative_speed: float) -> float:
    """Return the head at a flow: ``H = H0·(n/n0)² - a·Q²``, which the affinity laws leave in this form."""
    return curve.shutoff_head_m * relative_speed**2 - curve.head_loss_m_per_m3h2 * flow_m3h**2


def system_head_m(system: SystemCurve, flow_m3h: float) -> float:
    """Return the head that the pipework asks for: ``H = Hs + k·Q²``."""
    resistance = system.discharge_m_per_m3h2 + system.suction_m_per_m3h2
    return system.static_head_m + resistance * flow_m3h**2


def choke_flow_m3h(system: SystemCurve) -> float:
    """Return the flow at which the suction falls to vapour pressure: no pump can draw more through it."""
    available_m = head_of_bar(system.header_pressure_bar + ATMOSPHERE_BAR - VAPOUR_PRESSURE_BAR)
    return math.sqrt(max(available_m, 0.0) / system.suction_m_per_m3h2)


def flow_m3h(curve: PumpCurve, system: SystemCurve, relative_speed: float, head_factor: float) -> float:
    """Return where the curves meet; 0 while the check valve is shut, never beyond the choke of the suction.

    Args:
        curve: The pump at rated speed.
        system: The pipework.
        relative_speed: Speed over rated speed.
        head_factor: Part of the head that gas in the impeller leaves, 0 to 1.
    """
    surplus_m = curve.shutoff_head_m * relative_speed**2 * head_factor - system.static_head_m
    if surplus_m <= 0:
        return 0.0
    losses = curve.head_loss_m_per_m3h2 + system.discharge_m_per_m3h2 + system.suction_m_per_m3h2
    return min(math.sqrt(surplus_m / losses), choke_flow_m3h(system))


def npsh_available_m(inlet_pressure_bar: float) -> float:
    """Return the suction head above vapour pressure."""
    return head_of_bar(inlet_pressure_bar + ATMOSPHERE_BAR - VAPOUR_PRESSURE_BAR)


def npsh_required_m(curve: PumpCurve, flow_m3h: float) -> float:
    """Return the suction head that the pump needs at a flow."""
    return curve.npsh_required_m + curve.npsh_growth_m * (flow_m3h / curve.best_flow_m3h) ** 2


def cavitation_index(available_m: float, required_m: float) -> float:
    """Return 0 with half the required suction head to spare, 1 where only half of it is left.

    Bubbles form, and can be heard, well above the NPSH at which the head falls by 3 % (Gülich, section 6.3).
    """
    inception_m, full_m = 1.5 * required_m, 0.5 * required_m
    return min(max((inception_m - available_m) / (inception_m - full_m), 0.0), 1.0)


def shaft_power_kw(
    curve: PumpCurve, flow_m3h: float, head_m: float, relative_speed: float, density_kg_m3: float
) -> float:
    """Return the power that the shaft takes.

    With ``η = η_best·q·(2-q)`` and ``q = Q/(Q_best·n/n0)``, ``P = rho·g·Q·H/η`` shortens to a form that stays finite at
    no flow, as the churning power of a real pump does.
    """
    if relative_speed <= 0:
        return 0.0
    best_m3s = curve.best_flow_m3h * relative_speed / SECONDS_PER_HOUR
    relative_flow = min(flow_m3h / (curve.best_flow_m3h * relative_speed), MAX_RELATIVE_FLOW)
    watts = density_kg_m3 * GRAVITY_M_S2 * head_m * best_m3s / (curve.best_efficiency * (2 - relative_flow))
    return watts / 1000


MAX_RELATIVE_FLOW = 1.6
"""The efficiency parabola is not followed beyond this run-out."""


def hydraulic_power_kw(flow_m3h: float, head_m: float, density_kg_m3: float) -> float:
    """Return the power that reaches the water: ``rho·g·Q·H``."""
    return density_kg_m3 * GRAVITY_M_S2 * flow_m3h / SECONDS_PER_HOUR * head_m / 1000


def operate(
    curve: PumpCurve, system: SystemCurve, *, relative_speed: float, head_factor: float, fill: float
) -> OperatingPoint:
    """Return the steady operating point.

    Args:
        curve: The pump at rated speed.
        system: The pipework.
        relative_speed: Speed over rated speed.
        head_factor: Part of the head that cavitation leaves, 0 to 1.
        fill: Part of the casing that holds liquid: 1 primed, 0 dry.
    """
    # A pump that loses its prime loses density and, by slip of the gas, head as well.
    density = WATER_DENSITY_KG_M3 * fill
    gas_factor = head_factor * fill**2
    flow = flow_m3h(curve, system, relative_speed, gas_factor)
    churning_m = curve.shutoff_head_m * relative_speed**2 * gas_factor
    head = system_head_m(system, flow) if flow > 0 else churning_m
    header = system.header_pressure_bar
    inlet = header - bar_of_head(system.suction_m_per_m3h2 * flow**2)
    return OperatingPoint(
        flow_m3h=flow,
        head_m=head,
        inlet_pressure_bar=inlet,
        outlet_pressure_bar=inlet + bar_of_head(head, density if flow == 0 else WATER_DENSITY_KG_M3),
        hydraulic_power_kw=hydraulic_power_kw(flow, head, density),
        shaft_power_kw=shaft_power_kw(curve, flow, head, relative_speed, density),
        cavitation=cavitation_index(npsh_available_m(inlet), npsh_required_m(curve, flow)) if flow > 0 else 0.0,
    )
