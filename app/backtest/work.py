"""What a process that runs back-tests is asked: values that travel to it, and run there."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alarms.performance import EpisodeLog, Label
from app.backtest.report import Judged, judged, result_of, try_view
from dashboards.schemas import View
from facility.history.snapshot import read_days
from facility.model import Facility, Rule
from facility.samples import SampleBatch
from rules import kernel
from rules.backtest import Order, Period, Read, backtest, cut, needed, points_read, warm_up_ns, with_rules
from rules.compiled import compiled


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
    """Cut to what the rules need."""
    draft: Facility | None
    """The same with drafts in it; ``None``: the live rules alone."""
    tested: frozenset[int]
    """Ids of the rules that count; one of the two may lack some."""
    period: Period
    labels: tuple[Label, ...] = ()

    @property
    def sets(self) -> list[Facility]:
        """Return the sets of rules to run."""
        return [self.live] if self.draft is None else [self.live, self.draft]

    @property
    def points(self) -> frozenset[int]:
        """Return the points whose samples are needed."""
        return frozenset().union(*(points_read(facility, self.tested) for facility in self.sets))

    @property
    def start_ns(self) -> int:
        """Return the source time from which on samples are needed: rules look back before the period."""
        return self.period.start_ns - max(map(warm_up_ns, self.sets))


def planned(
    facility: Facility,
    drafts: Mapping[int, Rule | None],
    *,
    tested: Collection[int],
    period: Period,
    labels: Sequence[Label] = (),
) -> Work:
    """Return the work of testing rules, with drafts (``None``: switched off) beside the live ones."""
    draft = with_rules(facility, drafts) if drafts else None
    return Work(
        live=cut(facility, needed(facility, tested)),
        draft=None if draft is None else cut(draft, needed(draft, tested)),
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
        logs = [EpisodeLog() for _ in self.work.sets]
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
        logs = [EpisodeLog() for _ in self.work.sets]
        samples = sum(count for _, count in _taken(self.work, self._read, logs))
        live, draft = _judged(self.work, logs)
        if draft is None:
            raise AssertionError("a preview has a draft")  # whoever plans it gives one
        yield try_view(live, draft, samples=samples, period=self.work.period)

    def _read(self, points: Collection[int], _start_ns: int, end_ns: int, _order: Order) -> Iterable[SampleBatch]:
        wanted = self.samples.where(self.samples.source_time_ns < end_ns)
        return [wanted] if len(wanted) and points else []


def _taken(work: Work, read: Read, logs: Sequence[EpisodeLog]) -> Iterator[tuple[float, int]]:
    """Run the rules and fill a log for each set; give the share that is behind and how many samples a step had."""
    for step in backtest(work.sets, work.tested, work.period, read, fast=compiled() or kernel.plain):
        for log, transitions in zip(logs, step.transitions, strict=True):
            log.take(transitions)
        yield step.share, step.samples


def _judged(work: Work, logs: Sequence[EpisodeLog]) -> tuple[Judged, Judged | None]:
    """Return the live rules' figures and, where there are drafts, theirs."""
    sets = [
        judged(facility, log.episodes(work.period.start_ns), work.tested, work.period, work.labels)
        for facility, log in zip(work.sets, logs, strict=True)
    ]
    return sets[0], sets[1] if len(sets) > 1 else None
