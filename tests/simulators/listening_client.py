"""A client of the broker that remembers what it heard, for tests of the MQTT wires."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came."""

    topic: str
    body: dict[str, Any]
    qos: int
    retained: bool
    at_ns: int
    """Machine's time of arrival."""


@dataclass(slots=True)
class Listener:
    """Everything that came below one topic, in order."""

    messages: list[Heard] = field(default_factory=list)

    def below(self, ending: str) -> list[Heard]:
        """Return what came on topics with this ending."""
        return [heard for heard in list(self.messages) if heard.topic.endswith(ending)]


@contextmanager
def listening(port: int, topic: str) -> Iterator[Listener]:
    """Subscribe until the block ends; returns once the broker has confirmed."""
    listener, confirmed = Listener(), []
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_subscribe = lambda *_: confirmed.append(True)
    client.on_message = lambda _client, _data, message: listener.messages.append(_heard(message))
    client.connect("127.0.0.1", port)
    client.subscribe(topic, qos=1)
    client.loop_start()
    deadline = time.monotonic() + DEADLINE_S
    while not confirmed:
        assert time.monotonic() < deadline, "the broker did not confirm the subscription"
        time.sleep(0.005)
    try:
        yield listener
    finally:
        client.disconnect()
        client.loop_stop()


async def until(condition: Callable[[], bool], what: str) -> None:
    """Return when the condition holds; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.005)


def _heard(message: MQTTMessage) -> Heard:
    at_ns = time.time_ns()  # noqa: TID251  # compared with what the device says, which is the machine's clock here
    return Heard(message.topic, orjson.loads(message.payload), message.qos, message.retain, at_ns)
