"""Plays a recording onto an MQTT broker as a device would publish it."""

from __future__ import annotations

from collections.abc import Mapping

from facility.clock import NS_PER_S, Clock
from facility.model import Connection
from simulators.mqtt import WINDOW, Message, MqttPublisher, milliseconds
from simulators.recording import RecordedRow, Recording, number_of
from simulators.wire import wait_until


class MqttPlayer:
    """Publishes the rows to ``{root}/telemetry``, paced by the clock."""

    def __init__(
        self, connection: Connection, root: str, recording: Recording, clock: Clock, *, rows_per_message: int = 1
    ) -> None:
        """Prepare to publish one message a row, or a list of so many rows, once the last of them is due."""
        self.started_ns: int | None = None
        """Facility time of the first row; ``None`` before it."""
        self._connection = connection
        self._topic = f"{root}/telemetry"
        self._recording = recording
        self._clock = clock
        self._rows_per_message = rows_per_message

    async def run(self) -> None:
        """Play from the first row to the last; returns when the broker has acknowledged every one."""
        async with MqttPublisher(self._connection, "replay") as publisher:
            self.started_ns = start_ns = self._clock.now_ns()
            for first in range(0, len(self._recording.rows), self._rows_per_message):
                rows = self._recording.rows[first : first + self._rows_per_message]
                await wait_until(self._clock, _due_ns(rows[-1], start_ns))
                await publisher.settled(at_most=WINDOW)
                bodies = [_body(first + place, row, _due_ns(row, start_ns)) for place, row in enumerate(rows)]
                body = bodies[0] if self._rows_per_message == 1 else bodies
                publisher.publish(Message(self._topic, body, qos=1))
            await publisher.settled()


def _due_ns(row: RecordedRow, start_ns: int) -> int:
    return start_ns + round(row.offset_s * NS_PER_S)


def _body(index: int, row: RecordedRow, at_ns: int) -> Mapping[str, object]:
    cells = {point: _json_value(text) for point, text in row.cells.items()}
    return {"t_ms": milliseconds(at_ns), "row": index, **cells}


def _json_value(text: str) -> float | str:
    """Return a number for a cell that is one, and any other cell as it stands."""
    number = number_of(text)
    return text if number is None else number
