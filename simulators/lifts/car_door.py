"""The car door and its operator: opening, dwell, closing, and what happens when something is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class DoorState(StrEnum):
    """Names as they travel on the wire."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    BLOCKED = "blocked"
    """A closing has failed; the operator tries again from time to time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorTimes:
    """A centre-opening door of 900 mm."""

    opening_s: float = 1.8
    dwell_s: float = 4.0
    button_s: float = 0.8
    """Dwell when somebody in the car presses the button that closes the door."""
    closing_s: float = 2.6
    retry_s: float = 10.0
    """Between two attempts to close a blocked door."""
    reopening_probability: float = 0.06
    """Share of closings that someone's hand interrupts."""
    obstacle_at: float = 0.6
    """Part of the closing time after which an obstacle is met."""


class CarDoor:
    """The door of one car."""

    def __init__(self, times: DoorTimes, chance: np.random.Generator) -> None:
        self.state = DoorState.CLOSED
        self.obstructed = False
        """Something lies on the sill; every attempt to close fails."""
        self.cycles = 0
        self.reopenings = 0
        self._times = times
        self._chance = chance
        self._left_s = 0.0
        self._hand_in_door = False
        self._hurried = False

    def hurry(self) -> None:
        """Press the closing button: until the door has closed, it dwells briefly and nobody holds it."""
        self._hurried = True
        if self.state is DoorState.OPEN:
            self._left_s = min(self._left_s, self._times.button_s)

    def open(self) -> None:
        """Open the closed door; a door already on its way is left alone."""
        if self.state is DoorState.CLOSED:
            self._left_s = 0.0
            self._enter(DoorState.OPENING, self._times.opening_s)

    def step(self, dt_s: float) -> None:
        """Advance; within a long step several changes may follow each other."""
        self._left_s -= dt_s
        while self._left_s <= 0 and self.state is not DoorState.CLOSED:
            self._advance()

    def _advance(self) -> None:
        match self.state:
            case DoorState.OPENING:
                self._enter(DoorState.OPEN, self._times.button_s if self._hurried else self._times.dwell_s)
            case DoorState.OPEN:
                self._start_closing()
            case DoorState.CLOSING | DoorState.BLOCKED if self.obstructed:
                self.reopenings += 1
                self._enter(DoorState.BLOCKED, self._times.retry_s)
            case DoorState.BLOCKED:
                self._start_closing()
            case _:
                self._end_closing()

    def _start_closing(self) -> None:
        hand = bool(self._chance.random() < self._times.reopening_probability)
        self._hand_in_door = hand and not self._hurried
        met = self._times.obstacle_at if self._hand_in_door or self.obstructed else 1.0
        self._enter(DoorState.CLOSING, met * self._times.closing_s)

    def _end_closing(self) -> None:
        if self._hand_in_door:
            self.reopenings += 1
            self._enter(DoorState.OPENING, self._times.obstacle_at * self._times.opening_s)
        else:
            self.cycles += 1
            self._hurried = False
            self.state = DoorState.CLOSED

    def _enter(self, state: DoorState, lasts_s: float) -> None:
        self.state = state
        self._left_s += lasts_s
