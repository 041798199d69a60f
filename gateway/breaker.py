"""The breaker of one unit: how often a silent device is still asked, so that it does not hold up its neighbours.

A pure state machine over values; whoever drives it brings the time (seconds of any monotonic clock) and the jitter.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

MAX_BACKOFF_S: Final = 30.0
"""A device that comes back is noticed within this time."""

_MAX_DOUBLINGS: Final = 16  # far beyond the cap already; keeps 2**n a small number


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    """The unit is asked at its own pace."""
    OPEN = "open"
    """The unit is left alone until ``retry_at_s``."""
    HALF_OPEN = "half_open"
    """One request is out to see whether the unit is back."""


class Signal(StrEnum):
    """What a breaker hears."""

    ANSWERED = "answered"
    """The unit said something, even an exception."""
    SILENT = "silent"
    """No answer in time."""
    GAVE_UP = "gave_up"
    """No answer in time, and as often in a row as is tolerated."""
    WAITED = "waited"
    """The waiting time of an open breaker is over."""


class Row(NamedTuple):
    """One row of the state table."""

    state: BreakerState
    why: str


TABLE: Final[Mapping[tuple[BreakerState, Signal], Row]] = {
    (BreakerState.CLOSED, Signal.ANSWERED): Row(BreakerState.CLOSED, "the unit works"),
    (BreakerState.CLOSED, Signal.SILENT): Row(BreakerState.CLOSED, "one silence may be chance"),
    (BreakerState.CLOSED, Signal.GAVE_UP): Row(BreakerState.OPEN, "the unit does not answer"),
    (BreakerState.OPEN, Signal.WAITED): Row(BreakerState.HALF_OPEN, "time to see whether the unit is back"),
    (BreakerState.HALF_OPEN, Signal.ANSWERED): Row(BreakerState.CLOSED, "the unit is back"),
    (BreakerState.HALF_OPEN, Signal.SILENT): Row(BreakerState.OPEN, "the unit is still silent"),
    (BreakerState.HALF_OPEN, Signal.GAVE_UP): Row(BreakerState.OPEN, "the unit is still silent"),
}
"""State and signal to the next state; a signal without a row changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One unit's breaker as it stands."""

    state: BreakerState = BreakerState.CLOSED
    silences: int = 0
    """Requests in a row without an answer."""
    openings: int = 0
    """Times in a row that it opened without an answer between; each doubles the wait."""
    retry_at_s: float = 0.0
    """When an open breaker may be tried again."""
    tolerance: int = 2
    """Silences in a row that open a closed breaker."""

    def may_ask(self, now_s: float) -> bool:
        """Say whether the unit may be asked now."""
        return self.state is not BreakerState.OPEN or now_s >= self.retry_at_s

    def asked(self, now_s: float) -> Breaker:
        """Return the breaker as a request goes out."""
        if self.state is BreakerState.OPEN and now_s >= self.retry_at_s:
            return self._moved(Signal.WAITED)
        return self

    def answered(self) -> Breaker:
        """Return the breaker after an answer; one that was not asked for changes nothing."""
        moved = self._moved(Signal.ANSWERED)
        return self if moved.state is BreakerState.OPEN else replace(moved, silences=0, openings=0, retry_at_s=0.0)

    def silent(self, now_s: float, *, jitter: float) -> Breaker:
        """Return the breaker after a request without an answer; ``jitter`` is a random number from 0 to 1."""
        if self.state is BreakerState.OPEN:
            return self
        silences = self.silences + 1
        moved = replace(self._moved(Signal.GAVE_UP if silences >= self.tolerance else Signal.SILENT), silences=silences)
        if moved.state is not BreakerState.OPEN:
            return moved
        wait_s = backoff_s(self.openings, jitter=jitter)
        return replace(moved, openings=self.openings + 1, retry_at_s=now_s + wait_s)

    def retried_at(self, now_s: float) -> Breaker:
        """Return the breaker when something else changed (a new connection), so that waiting on makes no sense."""
        return replace(self, retry_at_s=now_s) if self.state is BreakerState.OPEN else self

    def _moved(self, signal: Signal) -> Breaker:
        row = TABLE.get((self.state, signal))
        return replace(self, state=row.state) if row else self


def backoff_s(attempt: int, *, jitter: float, base_s: float = 1.0, cap_s: float = MAX_BACKOFF_S) -> float:
    """Return how long to wait before the next try: doubling from ``base_s``, at most ``cap_s``, never less than half.

    ``attempt`` counts from 0. ``jitter`` (0 to 1) spreads those who failed together over the upper half of the time.
    """
    full = min(cap_s, base_s * 2.0 ** min(attempt, _MAX_DOUBLINGS))
    return full * (0.5 + 0.5 * jitter)


def draw_jitter() -> float:
    """Return a random number from 0 to 1, for the edges that wait in wall time."""
    return random.random()  # noqa: S311  # spreads retries; nothing secret
