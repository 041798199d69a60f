"""A handle on a process that runs back-tests."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson

from app.backtest.work import Task
from facility.errors import InvalidCommandError, WatchkeeperError

BACKGROUND: Final = 19
"""The lowest priority that there is: live work goes first."""
BESIDE_PEOPLE: Final = 5
"""For what a person waits for."""
_ONE_THREAD: Final = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_LAST_LINES: Final = 3


class BacktestFailedError(WatchkeeperError):
    """The process of a back-test ended by itself; nothing else was touched."""

    title = "The back-test failed"

    def __init__(self, ended: str, last_words: str) -> None:
        super().__init__(
            f"The process of the back-test ended by itself ({ended}). Nothing else was touched. Try a shorter period "
            f"or fewer rules; if it fails again, report this with the rule. {last_words}".rstrip()
        )


class Worker:
    """A process that takes one task after the other; used by one thread, and killed from any."""

    def __init__(self, folder: Path, *, niceness: int) -> None:
        """Start the process.

        Args:
            folder: For what it has to put on disk; whoever gave it removes it.
            niceness: How far it stands back, 0 to 19.
        """
        self._words = (folder / "child.log").open("w+b")
        self._process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "app.backtest.child", str(niceness)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=os.environ | _ONE_THREAD | {"TMPDIR": str(folder)},
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both were asked for as pipes")
        self._tasks, self._answers = self._process.stdin, self._process.stdout

    @property
    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def ask(self, task: Task, progress: Callable[[float], None] = lambda _share: None) -> bytes:
        """Have a task done and return the view that came out, as JSON: thousands of episodes are read by nobody here.

        Raises:
            InvalidCommandError: It cannot be done; the message says why.
            BacktestFailedError: The process ended before it was done.
        """
        try:
            self._tasks.write(pickle.dumps(task))
            self._tasks.flush()
        except BrokenPipeError as error:
            raise self._failed() from error
        while line := self._answers.readline():
            what, _, content = line.rstrip().partition(b" ")
            if what == b"refused":
                raise InvalidCommandError(orjson.loads(content))
            if what == b"result":
                return content
            progress(orjson.loads(content))
        raise self._failed()

    def kill(self) -> None:
        """End the process at once, whatever it does; from any thread."""
        self._process.kill()

    def close(self) -> None:
        """End the process and let go of it."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._tasks.close()
        self._answers.close()
        self._words.close()

    def _failed(self) -> BacktestFailedError:
        code = self._process.wait()
        self._words.seek(0)
        said = self._words.read().decode(errors="replace").strip().splitlines()
        return BacktestFailedError(ended(code), " ".join(said[-_LAST_LINES:]))


def ended(code: int) -> str:
    """Return in words how a process ended."""
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
