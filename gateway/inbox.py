"""The meeting place of the drivers' loop and the engine's thread: bounded, thread-safe, alarms first."""

from __future__ import annotations

import threading
from collections import deque

from gateway.events import Delivery


class Inbox:
    """Takes deliveries from any thread and gives them all at once to the engine.

    Deliveries that carry events or wait for an acknowledgement are never dropped: their senders hold them until then
    and stop sending at their own window. Plain telemetry beyond ``capacity`` samples is dropped, oldest
    first, and counted.
    """

    def __init__(self, capacity: int = 1_000_000) -> None:
        self.dropped = 0
        """Samples dropped since the start."""
        self._capacity = capacity
        self._waiting = 0
        self._kept: deque[Delivery] = deque()
        self._telemetry: deque[Delivery] = deque()
        self._ready = threading.Condition()
        self._woken = False

    @property
    def waiting(self) -> int:
        """Return how many samples wait for the engine."""
        with self._ready:
            return self._waiting + sum(len(delivery.batch) for delivery in self._kept)

    def put(self, delivery: Delivery) -> None:
        """Hand over one delivery; returns at once."""
        with self._ready:
            if delivery.acknowledge is not None or delivery.events:
                self._kept.append(delivery)
            else:
                self._telemetry.append(delivery)
                self._waiting += len(delivery.batch)
                while self._waiting > self._capacity and len(self._telemetry) > 1:
                    lost = len(self._telemetry.popleft().batch)
                    self._waiting -= lost
                    self.dropped += lost
            self._ready.notify()

    def wake(self) -> None:
        """Let a waiting ``take_all`` return although nothing came."""
        with self._ready:
            self._woken = True
            self._ready.notify()

    def take_all(self, timeout_s: float) -> list[Delivery]:
        """Return everything that waits, events and acknowledged lanes first; wait up to ``timeout_s`` wall seconds."""
        with self._ready:
            if not (self._kept or self._telemetry or self._woken):
                self._ready.wait(timeout_s)
            taken = [*self._kept, *self._telemetry]
            self._kept.clear()
            self._telemetry.clear()
            self._waiting = 0
            self._woken = False
            return taken
