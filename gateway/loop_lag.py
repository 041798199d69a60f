"""How late the event loop is: the time by which a task that wanted to run had to wait for others.

A loop that lags polls late, renews subscriptions late and answers late; it lags when somebody computes on it for long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple

import numpy as np

INTERVAL_S: Final = 0.05
"""Wall seconds between two looks; what blocks the loop for less may fall between them."""

WINDOW_S: Final = 60.0
"""Wall seconds that the figures look back."""


class LoopLagFigures(NamedTuple):
    """How late the loop was within the window, in wall seconds."""

    p50_s: float
    p99_s: float
    worst_s: float
    looks: int
    """How many looks the figures rest on; all are 0 without any."""


class LoopLag:
    """Watches the event loop that :meth:`run` runs on; the figures may be asked for from any thread."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float]] = deque(maxlen=round(WINDOW_S / INTERVAL_S))
        """When, by the loop's time, and how late."""

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self.add(loop.time(), late_s=loop.time() - due_s)

    def add(self, now_s: float, *, late_s: float) -> None:
        """Take one look, and forget those that the window has left behind."""
        self._looks.append((now_s, max(late_s, 0.0)))
        while self._looks[0][0] < now_s - WINDOW_S:
            self._looks.popleft()

    def figures(self) -> LoopLagFigures:
        """Return how late the loop was over the last minute."""
        late = [late_s for _, late_s in self._looks.copy()]
        if not late:
            return LoopLagFigures(0.0, 0.0, 0.0, 0)
        p50, p99, worst = np.percentile(late, [50, 99, 100])
        return LoopLagFigures(float(p50), float(p99), float(worst), len(late))
