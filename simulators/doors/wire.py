"""Door controllers on MQTT, as ``docs/wire.md`` lays down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from facility.clock import Clock
from facility.model import Asset, Connection
from simulators.doors.door import AccessEvent, ControllerState, Door
from simulators.mqtt import Cadence, Message, MqttWire, milliseconds, phase_of

STATE_EVERY_S = 10.0


class DoorSpeaker:
    """What one door's controller says."""

    def __init__(self, door: Door, root: str) -> None:
        self.device = door
        self._root = root
        self._said: ControllerState | None = None
        self._state = Cadence(STATE_EVERY_S, phase_of(door.asset_id))

    def messages(self, now_ns: int, *, anew: bool) -> Iterator[Message]:
        """Return the events since the last call, then the state where it changed or is due."""
        for event in self.device.take_events():
            yield Message(f"{self._root}/event", _event(event), qos=1)
        state = self.device.state
        if self._state.is_due(now_ns) or anew or state != self._said:
            self._said = state
            body = {"t_ms": milliseconds(now_ns), **state._asdict()}
            yield Message(f"{self._root}/state", body, qos=1, retain=True)

    @property
    def hears(self) -> str:
        """The topic on which the controller takes commands."""
        return f"{self._root}/command"

    def obey(self, command: Mapping[str, object]) -> None:
        """Lock, or keep unlocked until further notice."""
        if command.get("lock") in {"locked", "unlocked"}:
            self.device.held_unlocked = command["lock"] == "unlocked"


class DoorWire(MqttWire):
    """The doors of one broker."""

    def __init__(self, connection: Connection, assets: Sequence[Asset], *, clock: Clock, seed: int) -> None:
        speakers = [DoorSpeaker(Door(asset.id, seed=seed), str(asset.address["root"])) for asset in assets]
        super().__init__(connection, "door-controllers", speakers, clock=clock)


def _event(event: AccessEvent) -> dict[str, object]:
    body: dict[str, object] = {"id": event.id, "t_ms": milliseconds(event.at_ns), "event": event.event}
    return body if event.badge is None else {**body, "badge": event.badge}
