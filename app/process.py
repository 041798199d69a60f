"""Runs one command as a process: its event loop, its signals, its exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from facility.errors import WatchkeeperError

T = TypeVar("T")

EXIT_FAILED = 1
"""The command ran and something did not hold."""
EXIT_REFUSED = 2
"""The command could not begin: a file has mistakes, a port is taken."""

SWITCH_INTERVAL_S = 0.0005
"""How long one thread computes while others wait.

Python's own 5 ms add up over the five threads that an alarm passes.
"""


def run_until_signal(job: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Run a job that ends when the event it is given is set, which SIGINT and SIGTERM do.

    A :class:`WatchkeeperError` ends the process with its message: it says what to do next.
    """

    async def main() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        return await job(stop)

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with refusals():
        return asyncio.run(main())


@contextmanager
def refusals() -> Iterator[None]:
    """Turn our own errors into their message and an exit code; every other error keeps its traceback."""
    try:
        yield
    except WatchkeeperError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command speaks to its terminal
        raise SystemExit(EXIT_REFUSED) from error
