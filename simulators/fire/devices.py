"""Smoke detectors, manual call points and their panel, stepped through time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar

from facility.clock import NS_PER_S
from simulators.device import check_fault, device_generator
from simulators.fire.building import Building, Place
from simulators.fire.smoke import SPRINKLER_C, WORST_FIRST, LifeSafety, classify, obscuration_of_rise
from simulators.lag import approach

ROOM_C = 22.0
CHAMBER_TIME_S = 1.5
"""How fast smoke enters and leaves a detector's chamber."""
THERMISTOR_TIME_S = 6.0
BULB_TIME_S = 10.0
"""A quick-response sprinkler's glass bulb in a hot ceiling jet."""

DUST_PERCENT_M = 0.15
"""What a clean detector shows."""
DRIFT_PERCENT_M_H = 1e-4
"""How fast dust raises that in an ordinary room: about 0.9 %/m a year."""
DIRTY_PERCENT_M = 2.4
"""Where a dirty chamber settles: still below pre-alarm, so it cries wolf at the first cup of tea."""
DIRTY_TIME_S = 6.0
CLEANING_TIME_S = 1.0
STEAM_PERCENT_M = 14.0
"""Steam or dust in one chamber: a false alarm without heat."""
FLICKER_PERCENT_M = 0.02
FLICKER_C = 0.1
FLICKER_TIME_S = 20.0

OPEN_LOOP_ZONE = 3
"""The zone whose loop breaks on the panel's fault ``loop_open``."""
PUMP_START_S = 2.0
"""From flow in the sprinkler pipe to a running fire pump."""


class FirePump(IntEnum):
    """Status of the fire pump as the panel knows it."""

    STOPPED = 1
    RUNNING = 2
    FAULT = 3


class _Faulty(ABC):
    """Keeps the set of faults that last."""

    faults: ClassVar[frozenset[str]]

    def __init__(self, asset_id: str) -> None:
        self.asset_id = asset_id
        self.active: set[str] = set()

    @abstractmethod
    def step(self, now_ns: int, dt_s: float) -> None:
        """Advance by ``dt_s`` facility seconds to the facility time ``now_ns``."""

    def inject(self, fault: str, now_ns: int) -> None:  # noqa: ARG002  # part of the protocol
        """Start a fault of ``faults``; starting it again changes nothing."""
        check_fault(self, fault)
        self.active.add(fault)

    def clear(self, fault: str, now_ns: int) -> None:  # noqa: ARG002  # part of the protocol
        """End a fault."""
        self.active.discard(fault)


class Detector(_Faulty):
    """An optical smoke detector with a thermistor.

    ``fire`` burns below it and spreads; ``false_alarm`` is steam in this chamber alone; ``dirty`` is dust in it.
    """

    faults: ClassVar[frozenset[str]] = frozenset({"fire", "false_alarm", "dirty"})

    def __init__(self, asset_id: str, place: Place, building: Building, *, seed: int) -> None:
        super().__init__(asset_id)
        self.place = place
        self.obscuration = 0.0
        """Percent per metre, dust included."""
        self.heat_c = ROOM_C
        self.state = LifeSafety.QUIET
        """As the panel shows it: an alarm stays until what caused it is cleared."""
        self.live_state = LifeSafety.QUIET
        """What the detector would say now."""
        self.disconnected = False
        """Set by the panel while the detector's loop is open; its measurements then stand still."""
        self.alarm_ns: int | None = None
        """Facility time at which it last went into alarm; ``None`` before the first."""
        self.bulb_c = ROOM_C
        """Temperature of the sprinkler's bulb beside it."""
        self._building = building
        self._chance = device_generator(seed, asset_id)
        self._dust = DUST_PERCENT_M * (1 + 0.3 * float(self._chance.uniform(-1, 1)))
        self._dirt = 0.0
        self._smoke = 0.0
        self._jet_c = ROOM_C
        self._flicker = 0.0
        self.step(0, 0.0)

    def inject(self, fault: str, now_ns: int) -> None:
        """Start a fault; a fire ignites at ``now_ns``."""
        super().inject(fault, now_ns)
        if fault == "fire":
            self._building.ignite(self.asset_id, self.place, now_ns)

    def clear(self, fault: str, now_ns: int) -> None:
        """End a fault; the smoke takes a few seconds to leave."""
        super().clear(fault, now_ns)
        if fault == "fire":
            self._building.extinguish(self.asset_id)

    def step(self, now_ns: int, dt_s: float) -> None:
        """Advance the chamber, the thermistor and the bulb, then judge."""
        rise_k = self._building.rise_k(self.place, now_ns)
        self._measure(rise_k, dt_s)
        self.bulb_c = approach(self.bulb_c, ROOM_C + rise_k, dt_s, BULB_TIME_S)
        self._open_sprinkler(now_ns)
        if self.disconnected:
            self.state = self.live_state = LifeSafety.FAULT
            return
        self.obscuration = max(self._dust + self._dirt + self._smoke + FLICKER_PERCENT_M * self._flicker, 0.0)
        self.heat_c = self._jet_c + FLICKER_C * self._flicker
        self.live_state = classify(self.obscuration, self.heat_c)
        self._report(now_ns, in_smoke=rise_k > 0)

    @property
    def sprinkling(self) -> bool:
        """Return whether the sprinkler over a fire below this detector is open."""
        fire = self._building.fires.get(self.asset_id)
        return fire is not None and fire.sprinkled_ns is not None

    def _measure(self, rise_k: float, dt_s: float) -> None:
        steam = STEAM_PERCENT_M if "false_alarm" in self.active else 0.0
        dirt, dirt_time_s = (DIRTY_PERCENT_M, DIRTY_TIME_S) if "dirty" in self.active else (0.0, CLEANING_TIME_S)
        self._smoke = approach(self._smoke, max(obscuration_of_rise(rise_k), steam), dt_s, CHAMBER_TIME_S)
        self._dirt = approach(self._dirt, dirt, dt_s, dirt_time_s)
        self._dust += DRIFT_PERCENT_M_H * dt_s / 3600
        self._jet_c = approach(self._jet_c, ROOM_C + rise_k, dt_s, THERMISTOR_TIME_S)
        self._flicker = approach(self._flicker, float(self._chance.uniform(-1, 1)), dt_s, FLICKER_TIME_S)

    def _open_sprinkler(self, now_ns: int) -> None:
        fire = self._building.fires.get(self.asset_id)
        if fire is not None and fire.sprinkled_ns is None and self.bulb_c >= SPRINKLER_C:
            fire.sprinkled_ns = now_ns

    def _report(self, now_ns: int, *, in_smoke: bool) -> None:
        # A panel refuses to reset a detector while what made it alarm goes on, or before its chamber is clean again.
        cause_lasts = in_smoke or "false_alarm" in self.active or self.live_state is not LifeSafety.QUIET
        latched = self.state is LifeSafety.ALARM and cause_lasts
        state = LifeSafety.ALARM if latched else self.live_state
        if state is LifeSafety.ALARM and self.state is not LifeSafety.ALARM:
            self.alarm_ns = now_ns
        self.state = state


class CallPoint(_Faulty):
    """A manual call point: a pane that somebody breaks (``activated``) and an engineer replaces."""

    faults: ClassVar[frozenset[str]] = frozenset({"activated"})

    def __init__(self, asset_id: str) -> None:
        super().__init__(asset_id)
        self.pressed = False
        self.alarm_ns: int | None = None
        """Facility time at which it was last pressed; ``None`` before the first."""

    def step(self, now_ns: int, dt_s: float) -> None:  # noqa: ARG002  # part of the protocol
        """Close the contact while the pane is broken."""
        pressed = "activated" in self.active
        if pressed and not self.pressed:
            self.alarm_ns = now_ns
        self.pressed = pressed


class Panel(_Faulty):
    """The control panel over all detectors and call points.

    ``loop_open`` breaks the loop of zone ``OPEN_LOOP_ZONE``; ``mains_failure`` leaves the panel on its batteries.
    """

    faults: ClassVar[frozenset[str]] = frozenset({"loop_open", "mains_failure"})

    def __init__(self, asset_id: str, detectors: Sequence[Detector], call_points: Sequence[CallPoint]) -> None:
        super().__init__(asset_id)
        self.state = LifeSafety.QUIET
        self.trouble = False
        self.mains_failure = False
        self.sprinkler_flow = False
        self.fire_pump = FirePump.STOPPED
        self._detectors = detectors
        self._call_points = call_points
        self._flow_since_ns: int | None = None

    def inject(self, fault: str, now_ns: int) -> None:
        """Start a fault; an open loop takes its detectors off at once."""
        super().inject(fault, now_ns)
        self._connect()

    def clear(self, fault: str, now_ns: int) -> None:
        """End a fault; a closed loop brings its detectors back at once."""
        super().clear(fault, now_ns)
        self._connect()

    def step(self, now_ns: int, dt_s: float) -> None:  # noqa: ARG002  # part of the protocol; all state is of now
        """Gather what the points say; step the points first."""
        self.mains_failure = "mains_failure" in self.active
        self.trouble = self.mains_failure or any(detector.disconnected for detector in self._detectors)
        self.sprinkler_flow = any(detector.sprinkling for detector in self._detectors)
        self._run_fire_pump(now_ns)
        self.state = self._worst()

    def _connect(self) -> None:
        for detector in self._detectors:
            detector.disconnected = "loop_open" in self.active and detector.place.zone == OPEN_LOOP_ZONE

    def _run_fire_pump(self, now_ns: int) -> None:
        if not self.sprinkler_flow:
            self._flow_since_ns = None
            self.fire_pump = FirePump.STOPPED
            return
        if self._flow_since_ns is None:
            self._flow_since_ns = now_ns
        if now_ns - self._flow_since_ns >= PUMP_START_S * NS_PER_S:
            self.fire_pump = FirePump.RUNNING

    def _worst(self) -> LifeSafety:
        states = {detector.state for detector in self._detectors}
        if self.sprinkler_flow or any(call_point.pressed for call_point in self._call_points):
            states.add(LifeSafety.ALARM)
        if self.trouble:
            states.add(LifeSafety.FAULT)
        return next(state for state in WORST_FIRST if state in states or state is LifeSafety.QUIET)
