"""Lift controllers on MQTT, as ``docs/wire.md`` lays down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from facility.clock import Clock
from facility.model import Asset, Connection
from simulators.lifts.lift import Lift, LiftState
from simulators.mqtt import Cadence, Message, MqttWire, milliseconds, phase_of

MOTION_EVERY_S = 0.5
DRIVE_EVERY_S = 1.0
STATE_EVERY_S = 10.0
COUNTERS_EVERY_S = 5.0

LOWEST_FLOOR = 1
"""What the display in the car shows at the lobby."""

DIRECTIONS = {0: "none", 1: "up", -1: "down"}


class LiftSpeaker:
    """What one lift's controller says."""

    def __init__(self, lift: Lift, root: str) -> None:
        self.device = lift
        self._root = root
        self._said: LiftState | None = None
        phase = phase_of(lift.asset_id)
        self._motion = Cadence(MOTION_EVERY_S, phase)
        self._drive = Cadence(DRIVE_EVERY_S, phase)
        self._state = Cadence(STATE_EVERY_S, phase)
        self._counters = Cadence(COUNTERS_EVERY_S, phase)

    def messages(self, now_ns: int, *, anew: bool) -> Iterator[Message]:
        """Return what is due; a change of state goes first, and a silent controller says nothing."""
        lift = self.device
        if lift.silent:
            return
        state = lift.state
        if self._state.is_due(now_ns) or anew or state != self._said:
            self._said = state
            yield self._message("state", now_ns, state._asdict(), qos=1, retain=True)
        if self._motion.is_due(now_ns):
            yield self._message("motion", now_ns, _motion(lift))
        if self._drive.is_due(now_ns):
            yield self._message("drive", now_ns, _drive(lift))
        if self._counters.is_due(now_ns):
            yield self._message("counters", now_ns, _counters(lift))

    @property
    def hears(self) -> str:
        """The topic on which the controller takes commands."""
        return f"{self._root}/command"

    def obey(self, command: Mapping[str, object]) -> None:
        """Go out of service, or come back into it; a controller takes no other mode from outside."""
        if command.get("mode") in {"normal", "out_of_service"}:
            self.device.withdrawn = command["mode"] == "out_of_service"

    def _message(self, topic: str, now_ns: int, body: dict[str, Any], *, qos: int = 0, retain: bool = False) -> Message:
        return Message(f"{self._root}/{topic}", {"t_ms": milliseconds(now_ns), **body}, qos, retain)


class LiftWire(MqttWire):
    """The lifts of one broker."""

    def __init__(self, connection: Connection, assets: Sequence[Asset], *, clock: Clock, seed: int) -> None:
        speakers = [LiftSpeaker(Lift(asset.id, seed=seed), str(asset.address["root"])) for asset in assets]
        super().__init__(connection, "lift-controllers", speakers, clock=clock)


def _motion(lift: Lift) -> dict[str, Any]:
    return {
        "position_m": round(lift.car.position_m, 3),
        "speed_m_s": round(lift.car.speed_m_s, 3),
        "acceleration_m_s2": round(lift.car.acceleration_m_s2, 3),
        "load_kg": round(lift.load_kg, 1),
        "floor": lift.floor + LOWEST_FLOOR,
        "direction": DIRECTIONS[lift.direction],
    }


def _drive(lift: Lift) -> dict[str, Any]:
    return {
        "motor_current_a": round(lift.machine.current_a, 2),
        "motor_temperature_c": round(lift.machine.temperature_c, 2),
        "machine_vibration_mm_s": round(lift.machine.vibration_mm_s, 3),
    }


def _counters(lift: Lift) -> dict[str, Any]:
    return {
        "trips": lift.trips,
        "starts": lift.starts,
        "door_cycles": lift.door.cycles,
        "door_reopenings": lift.door.reopenings,
    }
