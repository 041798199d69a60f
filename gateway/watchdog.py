"""Watches that drivers keep turning: a loop that waits for ever looks like a quiet device, and nobody would notice.

Each loop of a driver says, every time that it turns, by when it will have turned again. Whoever runs the driver ends it
when a loop breaks its word, so that it can be started anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from facility.errors import WatchkeeperError

log: Final = structlog.get_logger(__name__)

USUAL_TURN_S: Final = 120.0
"""Wall seconds that a turn may take unless its loop says otherwise: many timeouts in a row, far more than any rest."""

LOOK_S: Final = 5.0
"""Wall seconds between two looks."""

ENDING_S: Final = 10.0
"""Wall seconds that a stalled driver has to end once it is told to."""


class StalledError(WatchkeeperError):
    """A driver's loop does not turn any more."""

    def __init__(self, loop: str, late_s: float) -> None:
        super().__init__(
            f"its loop {loop!r} has been stuck for {late_s:.0f} s longer than it said; it is started anew. If that "
            "comes again, send the log of this minute with a report."
        )


class Pulse:
    """The loops of one driver, and by when each will have turned again; belongs to one event loop."""

    def __init__(self) -> None:
        self._due_s: dict[str, float] = {}

    def turn(self, loop: str, *, within_s: float = USUAL_TURN_S) -> None:
        """Say that a loop turns, and will turn again within so many wall seconds."""
        self._due_s[loop] = asyncio.get_running_loop().time() + within_s

    def rest(self, loop: str) -> None:
        """Say that a loop ended, or waits for something that may never come."""
        self._due_s.pop(loop, None)

    def begin(self) -> None:
        """Forget what earlier loops said."""
        self._due_s.clear()

    def late(self, now_s: float) -> tuple[str, float] | None:
        """Return the loop that is furthest behind its word and by how many seconds; ``None``: all keep it."""
        loop, due_s = min(self._due_s.items(), key=lambda each: each[1], default=("", now_s))
        return (loop, now_s - due_s) if due_s < now_s else None


async def watched(driver: Coroutine[Any, Any, None], pulse: Pulse) -> None:
    """Run a driver until it ends by itself.

    Raises:
        StalledError: One of its loops did not keep its word; the driver was ended.
    """
    pulse.begin()
    task = asyncio.create_task(driver, name=f"{_name()} driver")
    try:
        await _until_late(task, pulse)
    except StalledError:
        await _ended(task)
        raise
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    await task


async def _until_late(task: asyncio.Task[None], pulse: Pulse) -> None:
    """Look now and then; return when the task is done.

    A loop counts as late when it is so at two looks in a row: after the machine slept, or somebody computed for long,
    all are late at first, and only those that are stuck stay so.
    """
    was_late = False
    while not task.done():
        await asyncio.wait({task}, timeout=LOOK_S)
        late = pulse.late(asyncio.get_running_loop().time())
        if late is not None and was_late and not task.done():
            raise StalledError(*late)
        was_late = late is not None


async def _ended(task: asyncio.Task[None]) -> None:
    """End a task that may not listen any more: after a while it is left alone."""
    task.cancel()
    _, pending = await asyncio.wait({task}, timeout=ENDING_S)
    if pending:
        log.error("a stalled driver does not end; it is left behind", task=task.get_name())
    elif not task.cancelled() and task.exception() is not None:
        log.error("a stalled driver ended with an error", task=task.get_name(), reason=repr(task.exception()))


def _name() -> str:
    task = asyncio.current_task()
    return "" if task is None else task.get_name()
