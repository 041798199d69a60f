"""Answers that people wait for: a draft tried while they move a limit, settings searched for.

Previews share one process that is kept for a while: to start one takes seconds, and the answer has to come in some
200 ms. The live process only reads the samples, which holds up nobody, and hands them over.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from app.backtest.work import WARM_UP_NS, SuggestTask, TryTask, Work
from app.backtest.worker import BACKGROUND, BESIDE_PEOPLE, BacktestFailedError, Worker
from dashboards.backtest_schemas import SuggestionView
from facility.history.history import History
from facility.samples import SampleBatch
from rules.backtest import STANDS_NS, said_last
from rules.trial import Question

MOST_SAMPLES: Final = 100_000
"""Of all points that a preview reads together."""
IDLE_S: Final = 600.0
"""Wall seconds for which the process waits for another preview."""


class Previews:
    """Tries drafts in a process that is ready for it; asked from any thread, one preview after the other."""

    def __init__(self, history: History, folder: Path) -> None:
        """Prepare; the process is started by the first preview.

        Args:
            history: Gives the samples.
            folder: Of the back-tests, on the history's own file system.
        """
        self._history = history
        self._folder = folder
        self._turn = threading.Lock()
        self._worker: Worker | None = None
        self._idle: threading.Timer | None = None

    def preview(self, work: Work) -> bytes:
        """Try a draft, and return the :class:`dashboards.backtest_schemas.TryView` as JSON.

        Raises:
            InvalidCommandError: It cannot be done; the message says why.
            BacktestFailedError: The process ended before it was done; the next preview starts another.
        """
        samples, first_ns = newest_samples(self._history, work.points, work.start_ns, work.period.end_ns)
        period = replace(work.period, start_ns=max(work.period.start_ns, first_ns))
        task = TryTask(work=replace(work, period=period), samples=samples)
        with self._turn:
            worker = self._ready()
            try:
                return worker.ask(task)
            except BacktestFailedError:
                self._end()
                raise

    def suggest(self, question: Question) -> SuggestionView:
        """Search for settings, in a process of its own.

        Raises:
            InvalidCommandError: Nothing can be suggested; the message says why.
            BacktestFailedError: The process ended before it was done.
        """
        start_ns, end_ns = question.period.start_ns - WARM_UP_NS, question.period.end_ns
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            files = self._history.snapshot([question.rule.point_key], start_ns, end_ns, Path(folder))
            with closing(Worker(Path(folder), niceness=BACKGROUND)) as worker:
                task = SuggestTask(question=question, files=tuple(files))
                return SuggestionView.model_validate_json(worker.ask(task))

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def _ready(self) -> Worker:
        """Return the process, and let it wait anew for the preview after this one."""
        if self._worker is None or not self._worker.alive:
            self._end()
            folder = self._folder / "preview"
            folder.mkdir(parents=True, exist_ok=True)
            self._worker = Worker(folder, niceness=BESIDE_PEOPLE)
        if self._idle is not None:
            self._idle.cancel()
        self._idle = threading.Timer(IDLE_S, self.close)
        self._idle.daemon = True
        self._idle.start()
        return self._worker

    def _end(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._worker is not None:
            self._worker.close()
            shutil.rmtree(self._folder / "preview", ignore_errors=True)
        self._worker, self._idle = None, None


def newest_samples(
    history: History, points: Collection[int], start_ns: int, end_ns: int, most: int = MOST_SAMPLES
) -> tuple[SampleBatch, int]:
    """Return the newest samples of some points in the order of arrival, and from which source time on all are there.

    Each point gives at most its share of ``most``. What others have from before a point's first is left out, but for
    what each point said last by then.
    """
    share = max(1, most // max(1, len(points)))
    parts = {point: history.read(point, start_ns, end_ns, share) for point in sorted(points)}
    first_ns = max((int(part.source_time_ns[0]) for part in parts.values() if len(part) == share), default=start_ns)
    silent = [point for point, part in parts.items() if not len(part) or part.source_time_ns[0] > first_ns]
    earlier = [history.read(point, start_ns - STANDS_NS, start_ns, 1) for point in silent]
    read = SampleBatch.concatenate([*earlier, *parts.values()])
    is_earlier = read.source_time_ns < first_ns
    found = SampleBatch.concatenate([said_last([read.where(is_earlier)]), read.where(~is_earlier)])
    order = np.lexsort((found.point, found.gateway_time_ns))
    return SampleBatch(*(getattr(found, column)[order] for column in SampleBatch.__slots__)), first_ns
