"""Plays a recording onto an MQTT broker as a device would publish it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from facility.clock import NS_PER_S, Clock
from facility.model import Connection
from simulators.mqtt import WINDOW, Message, MqttPublisher, milliseconds
from simulators.recording import RecordedRow, Recording
from simulators.wire import wait_until

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class MqttPlayer:
    """Publishes each row as one message to ``{root}/telemetry``, paced by the clock."""

    def __init__(self, connection: Connection, root: str, recording: Recording, clock: Clock) -> None:
        self.started_ns: int | None = None
        """Facility time of the first row; ``None`` before it."""
        self._connection = connection
        self._topic = f"{root}/telemetry"
        self._recording = recording
        self._clock = clock

    async def run(self) -> None:
        """Play from the first row to the last; returns when the broker has acknowledged every one."""
        async with MqttPublisher(self._connection, "replay") as publisher:
            self.started_ns = start_ns = self._clock.now_ns()
            for index, row in enumerate(self._recording.rows):
                due_ns = start_ns + round(row.offset_s * NS_PER_S)
                await wait_until(self._clock, due_ns)
                await publisher.settled(at_most=WINDOW)
                publisher.publish(Message(self._topic, _body(index, row, due_ns), qos=1))
            await publisher.settled()


def _body(index: int, row: RecordedRow, at_ns: int) -> Mapping[str, object]:
    cells = {point: _json_value(text) for point, text in row.cells.items()}
    return {"t_ms": milliseconds(at_ns), "row": index, **cells}


def _json_value(text: str) -> float | str:
    """Return a number for a cell that is one, and any other cell as it stands."""
    return float(text) if NUMBER.fullmatch(text.strip()) else text
