"""Which BACnet objects speak for which device, and how they follow its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bacpypes3.basetypes import DeviceObjectReference

from facility.clock import NS_PER_MS, NS_PER_S
from simulators.fire.bacnet import AnalogInput, BinaryInput, LifeSafetyPoint, LifeSafetyZone, MultiStateInput
from simulators.fire.devices import CallPoint, Detector, FirePump, Panel
from simulators.fire.smoke import LifeSafety

HEAT_INSTANCE_OFFSET = 1000
OBSCURATION_INCREMENT = 0.05
"""COV increment, percent per metre."""
HEAT_INCREMENT_K = 0.5
ANALOG_SCAN_S = 1.0
"""A panel shows measurements once a round, alarms at once: two dozen detectors in smoke must not crowd out an alarm."""

EVENT_STATES = {
    LifeSafety.QUIET: "normal",
    LifeSafety.PRE_ALARM: "offnormal",
    LifeSafety.ALARM: "lifeSafetyAlarm",
    LifeSafety.FAULT: "fault",
}
LIFE_SAFETY_STATES = {
    LifeSafety.QUIET: "quiet",
    LifeSafety.PRE_ALARM: "preAlarm",
    LifeSafety.ALARM: "alarm",
    LifeSafety.FAULT: "fault",
}
STAGGER_NS = 37 * NS_PER_MS
CONTACT = {False: "inactive", True: "active"}


class DetectorObjects:
    """Obscuration and heat as analog inputs, the state as a life-safety point."""

    def __init__(self, detector: Detector, instance: int) -> None:
        self._detector = detector
        # Rounds of different detectors start at different times, so their notifications do not come in one burst.
        self._next_scan_ns = instance * STAGGER_NS
        self._obscuration = AnalogInput(
            **_common("analog-input", instance, f"{detector.asset_id}/obscuration"),
            presentValue=detector.obscuration,
            units="percentObscurationPerMeter",
            covIncrement=OBSCURATION_INCREMENT,
        )
        self._heat = AnalogInput(
            **_common("analog-input", instance + HEAT_INSTANCE_OFFSET, f"{detector.asset_id}/heat"),
            presentValue=detector.heat_c,
            units="degreesCelsius",
            covIncrement=HEAT_INCREMENT_K,
        )
        self._state = LifeSafetyPoint(
            **_common("life-safety-point", instance, f"{detector.asset_id}/state"),
            **_life_safety(),
            deviceType="optical smoke detector with thermistor",
        )
        self.objects: Sequence[Any] = (self._obscuration, self._heat, self._state)
        """The objects themselves."""

    def refresh(self, now_ns: int) -> None:
        """Set the objects to what the detector shows; only what changed notifies."""
        detector = self._detector
        _show(self._state, detector.state, detector.live_state)
        reliability = "noSensor" if detector.disconnected else "noFaultDetected"
        for item in self.objects:
            _assign(item, reliability=reliability)
        if now_ns >= self._next_scan_ns:
            self._scan()
            self._next_scan_ns = _next_round(now_ns, self._next_scan_ns)

    def _scan(self) -> None:
        _assign(self._obscuration, presentValue=self._detector.obscuration)
        _assign(self._heat, presentValue=self._detector.heat_c)


class CallPointObjects:
    """One contact."""

    def __init__(self, call_point: CallPoint, instance: int) -> None:
        self._call_point = call_point
        self._activated = _contact(instance, f"{call_point.asset_id}/activated", "pane intact", "pressed")
        self.objects: Sequence[Any] = (self._activated,)
        """The objects themselves."""

    def refresh(self, now_ns: int) -> None:  # noqa: ARG002  # contacts are shown at once
        """Set the contact to what the call point shows; only a change notifies."""
        _close(self._activated, self._call_point.pressed, "lifeSafetyAlarm")


class PanelObjects:
    """The panel's own contacts, the fire pump and the zone over all detectors."""

    def __init__(self, panel: Panel, detectors: Sequence[int]) -> None:
        """Build them.

        Args:
            panel: Whose state they show.
            detectors: Instances of the life-safety points of its zone.
        """
        self._panel = panel
        name = panel.asset_id
        self._trouble = _contact(1, f"{name}/trouble", "no trouble", "trouble")
        self._sprinkler_flow = _contact(2, f"{name}/sprinkler_flow", "no flow", "flow")
        self._mains_failure = _contact(3, f"{name}/mains_failure", "mains", "battery")
        self._fire_pump = MultiStateInput(
            **_common("multi-state-input", 1, f"{name}/fire_pump_status"),
            presentValue=panel.fire_pump.value,
            numberOfStates=len(FirePump),
            stateText=[state.name.lower() for state in FirePump],
        )
        self._zone = LifeSafetyZone(
            **_common("life-safety-zone", 1, f"{name}/panel_state"),
            **_life_safety(),
            zoneMembers=[
                DeviceObjectReference(objectIdentifier=("life-safety-point", instance)) for instance in detectors
            ],
        )
        self.objects: Sequence[Any] = (
            self._trouble,
            self._sprinkler_flow,
            self._mains_failure,
            self._fire_pump,
            self._zone,
        )
        """The objects themselves."""

    def refresh(self, now_ns: int) -> None:  # noqa: ARG002  # contacts are shown at once
        """Set the objects to what the panel shows; only what changed notifies."""
        panel = self._panel
        _close(self._trouble, panel.trouble, "offnormal")
        _close(self._sprinkler_flow, panel.sprinkler_flow, "lifeSafetyAlarm")
        _close(self._mains_failure, panel.mains_failure, "offnormal")
        _assign(self._fire_pump, presentValue=panel.fire_pump.value)
        _show(self._zone, panel.state, panel.state)


def _common(kind: str, instance: int, name: str) -> dict[str, Any]:
    return {
        "objectIdentifier": (kind, instance),
        "objectName": name,
        "eventState": "normal",
        "reliability": "noFaultDetected",
        "outOfService": False,
    }


def _life_safety() -> dict[str, Any]:
    return {
        "presentValue": "quiet",
        "trackingValue": "quiet",
        "mode": "on",
        "acceptedModes": ["on"],
        "silenced": "unsilenced",
        "operationExpected": "none",
    }


def _contact(instance: int, name: str, inactive: str, active: str) -> BinaryInput:
    return BinaryInput(
        **_common("binary-input", instance, name),
        presentValue="inactive",
        polarity="normal",
        inactiveText=inactive,
        activeText=active,
    )


def _close(contact: BinaryInput, closed: bool, event_state: str) -> None:  # noqa: FBT001  # the contact's state
    _assign(contact, presentValue=CONTACT[closed], eventState=event_state if closed else "normal")


def _show(item: LifeSafetyPoint | LifeSafetyZone, state: LifeSafety, live_state: LifeSafety) -> None:
    _assign(
        item,
        presentValue=LIFE_SAFETY_STATES[state],
        trackingValue=LIFE_SAFETY_STATES[live_state],
        eventState=EVENT_STATES[state],
    )


def _next_round(now_ns: int, due_ns: int) -> int:
    """Return the first time after ``now_ns`` on the grid of ``due_ns``."""
    period_ns = round(ANALOG_SCAN_S * NS_PER_S)
    return due_ns + ((now_ns - due_ns) // period_ns + 1) * period_ns


def _assign(item: Any, **properties: Any) -> None:  # noqa: ANN401  # bacpypes3 ships no types
    """Set properties that changed; setting one that did not costs a copy and a comparison in bacpypes3."""
    shown = item.__dict__.setdefault("_shown", {})
    for name, value in properties.items():
        if shown.get(name) != value:
            shown[name] = value
            setattr(item, name, value)
