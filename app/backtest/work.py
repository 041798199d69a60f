"""What a process that runs back-tests is asked: values that travel to it, and run there."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from alarms.performance import EpisodeLog, Label
from app.backtest.report import Judged, judged, result_of, suggestion_view, try_view
from dashboards.schemas import View
from facility.clock import NS_PER_S
from facility.errors import InvalidCommandError
from facility.history.history import History
from facility.history.snapshot import read_days
from facility.model import Facility
from facility.samples import SampleBatch
from rules import kernel
from rules.backtest import (
    LEAST_WARM_UP_S,
    STANDS_NS,
    Order,
    Period,
    Read,
    Reading,
    RuleSet,
    as_they_arrived,
    cut,
    readings,
    standing,
    transitions,
)
from rules.compiled import compiled
from rules.suggestion import suggest
from rules.trial import Question

WARM_UP_NS: Final = round(LEAST_WARM_UP_S * NS_PER_S)
"""How long before the period candidates begin to watch."""
MOST_SAMPLES: Final = 20_000_000
"""That settings are searched on: a month of a point at 8 Hz, half a gigabyte."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the history is behind."""

    share: float


class Task(Protocol):
    """Something to do in another process."""

    def run(self) -> Iterator[Progress | View]:
        """Say how far it is, and last of all what came out.

        Raises:
            WatchkeeperError: It cannot be done; the message says what to do.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Rules on a stretch of history, and drafts beside them."""

    live: Facility
    """Cut to what the rules need, as ``draft``."""
    draft: Facility | None
    """``None``: the live rules alone."""
    readings: tuple[Reading, ...]
    """Of the live rules and, where there is one, the draft."""
    tested: frozenset[int]
    """Ids of the rules that count; one of the two may lack some."""
    period: Period
    labels: tuple[Label, ...] = ()

    @property
    def points(self) -> frozenset[int]:
        """Return the points whose samples are needed."""
        return frozenset().union(*(reading.points for reading in self.readings))

    @property
    def start_ns(self) -> int:
        """Return the source time from which on samples are needed: rules look back before the period."""
        return self.period.start_ns - max((reading.look_back_ns for reading in self.readings), default=0)

    def snapshot(self, history: History, folder: Path) -> tuple[Path, ...]:
        """Leave in a folder what the rules need of a history; see :meth:`facility.history.history.History.snapshot`.

        Raises:
            HistoryUnavailableError: The database did not answer, or the files could not be written.
        """
        return tuple(history.snapshot(self.points, self.start_ns - STANDS_NS, self.period.end_ns, folder))


def planned(
    live: RuleSet,
    draft: RuleSet | None,
    *,
    tested: Collection[int],
    period: Period,
    labels: Sequence[Label] = (),
) -> Work:
    """Return the work of testing rules, and a draft of them beside the live ones.

    Raises:
        ConfigurationError: A rule refers to something that is not there, or that does not fit.
    """
    sets = [each for each in (live, draft) if each is not None]
    return Work(
        live=cut(live.facility, tested),
        draft=None if draft is None else cut(draft.facility, tested),
        readings=tuple(readings(sets, tested)),
        tested=frozenset(tested),
        period=period,
        labels=tuple(labels),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestTask:
    """A back-test over files of history."""

    work: Work
    files: tuple[Path, ...]
    """A snapshot."""

    def run(self) -> Iterator[Progress | View]:
        """Say how far it is, and last of all give the :class:`BacktestResult`."""
        began_s = time.monotonic()
        logs = _logs(self.work)
        samples = 0
        for share, count in _taken(self.work, self._read, logs):
            samples += count
            yield Progress(share)
        live, draft = _judged(self.work, logs)
        yield result_of(live, draft, samples=samples, seconds=time.monotonic() - began_s)

    def _read(self, points: Collection[int], start_ns: int, end_ns: int, order: Order) -> Iterable[SampleBatch]:
        return read_days(self.files, points, start_ns, end_ns, by=order.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TryTask:
    """A preview over samples that are at hand."""

    work: Work
    samples: SampleBatch
    """In the order of arrival; what the rules look back at included."""

    def run(self) -> Iterator[Progress | View]:
        """Give the :class:`TryView`."""
        logs = _logs(self.work)
        samples = sum(count for _, count in _taken(self.work, self._read, logs))
        live, draft = _judged(self.work, logs)
        if draft is None:
            raise AssertionError("a preview has a draft")  # whoever plans it gives one
        yield try_view(live, draft, samples=samples, period=self.work.period)

    def _read(self, points: Collection[int], start_ns: int, end_ns: int, _order: Order) -> Iterable[SampleBatch]:
        source_ns = self.samples.source_time_ns
        wanted = self.samples.where((source_ns >= start_ns) & (source_ns < end_ns))
        return [wanted] if len(wanted) and points else []


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestTask:
    """A search for better settings of one rule, over files of history."""

    question: Question
    """Still without samples."""
    files: tuple[Path, ...]
    """A snapshot."""

    def run(self) -> Iterator[Progress | View]:
        """Give the :class:`SuggestionView`."""
        question, keys = self.question, [self.question.rule.point_key]
        start_ns, end_ns = question.period.start_ns - WARM_UP_NS, question.period.end_ns
        parts = []
        for batch in read_days(self.files, keys, start_ns, end_ns, by="point"):
            parts.append(as_they_arrived(batch))
            if sum(map(len, parts)) > MOST_SAMPLES:
                raise InvalidCommandError(f"The period has more than {MOST_SAMPLES:,} samples. Choose a shorter one.")
        asked = replace(question, samples=SampleBatch.concatenate(parts))
        yield suggestion_view(suggest(asked, fast=compiled() or kernel.plain), len(asked.labels))


def _taken(work: Work, read: Read, logs: Sequence[EpisodeLog]) -> Iterator[tuple[float, int]]:
    """Run the rules and fill a log for each set; give the share that is behind and how many samples a step had."""
    fast = compiled() or kernel.plain
    for number, reading in enumerate(work.readings):
        run = standing if reading.order is Order.POINT else transitions
        for step in run(reading, work.period, read, fast=fast):
            for log, said in zip(logs, step.transitions, strict=False):  # a step has the one or the other
                log.take(said)
            for log, spans in zip(logs, step.spans, strict=False):
                log.add(spans)
            yield (number + step.share) / len(work.readings), step.samples


def _judged(work: Work, logs: Sequence[EpisodeLog]) -> tuple[Judged, Judged | None]:
    """Return the live rules' figures and, where there are drafts, theirs."""
    live, *draft = [
        judged(facility, log.episodes(work.period.start_ns), work.tested, work.period, work.labels)
        for facility, log in zip(filter(None, (work.live, work.draft)), logs, strict=True)
    ]
    return live, draft[0] if draft else None


def _logs(work: Work) -> list[EpisodeLog]:
    return [EpisodeLog() for each in (work.live, work.draft) if each is not None]
