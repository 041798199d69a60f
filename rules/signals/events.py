"""How often something happened within a window."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

NEVER: Final = 2**62
"""As in :mod:`rules.kernel`."""


class EventCounter:
    """Counts entries into states; each counts from when it arrived until the window's length later."""

    inputs: Sequence[int] = ()

    def __init__(self, codes: Collection[int], window_ns: int, *, is_event: bool) -> None:
        """Begin with nothing.

        Args:
            codes: Of the states.
            window_ns: Length of the window.
            is_event: The point's samples are events: each one counts, also one that is like the one before.
        """
        self.look_back_ns = window_ns
        self._codes = frozenset(map(float, codes))
        self._is_event = is_event
        self._was_in = False
        self._entries: deque[int] = deque()

    @property
    def due_ns(self) -> int:
        """Return when the oldest entry leaves the window."""
        return self._entries[0] + self.look_back_ns if self._entries else NEVER

    def take(self, arrived_ns: int, value: float) -> float:
        """Take the next usable sample; return how many entries count now."""
        is_in = value in self._codes
        if is_in and (self._is_event or not self._was_in):
            self._entries.append(arrived_ns)
        self._was_in = is_in
        return float(len(self._entries))

    def begin(self, at_ns: int) -> float:
        """Let go of what is over; return how many entries count."""
        return self.reach(at_ns)

    def reach(self, at_ns: int, values: Sequence[float] = ()) -> float:  # noqa: ARG002  # as the protocol wants it
        """Let go of the entries that are over; return how many count still."""
        while self._entries and self._entries[0] + self.look_back_ns <= at_ns:
            self._entries.popleft()
        return float(len(self._entries))
