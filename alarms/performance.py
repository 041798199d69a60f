"""How well an alarm system serves its operators: the figures of ISA-18.2 and EEMUA 191 over episodes.

Pure functions over columns. A *period of 10 minutes* is one of the equal ones that the judged time is divided into from
its start on. An episode that stood already at the start counts for the time in alarm and as stale, and is no alarm of
the judged time.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from facility.clock import NS_PER_S
from facility.priority import Priority
from rules.events import RuleTransition, TransitionKind
from rules.spans import STANDING, Spans

TEN_MINUTES_NS: Final = 600 * NS_PER_S
DAY_NS: Final = 86_400 * NS_PER_S
FLOOD_ABOVE: Final = 10
"""More alarms than this in 10 minutes begin a flood."""
FLOOD_BELOW: Final = 5
"""Fewer than this in 10 minutes end it."""
CHATTER_COUNT: Final = 3
CHATTER_NS: Final = 60 * NS_PER_S
"""So many alarms of one rule within so long are chatter."""
FLEETING_NS: Final = 60 * NS_PER_S
"""An alarm that is over sooner, and does not chatter, is fleeting: nobody can act on it."""
STALE_NS: Final = DAY_NS
"""One that stands for longer is stale."""
WORST: Final = 10
ORDER_OPEN_NS: Final = 8 * 3_600 * NS_PER_S
"""Assumed: an order is finished a shift of 8 hours after it was opened, or when its alarm clears if that is later.
Until then further episodes of the same rule and asset join it."""

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Episodes:
    """Columns of equal length: one row for each time that a rule's condition was true; by rule, then time."""

    rule: Integers
    raised_ns: Integers
    cleared_ns: Integers
    """:data:`rules.spans.STANDING` for one that has not ended."""
    priority: Integers
    """The most urgent that it reached."""

    def __len__(self) -> int:
        return len(self.rule)

    def where(self, wanted: Flags) -> Episodes:
        """Return some of them."""
        return Episodes(self.rule[wanted], self.raised_ns[wanted], self.cleared_ns[wanted], self.priority[wanted])

    def by_rule(self) -> Iterator[tuple[int, Episodes]]:
        """Give each rule that has any, with its own."""
        rules, first = np.unique(self.rule, return_index=True)
        ends = [*first.tolist(), len(self)][1:]
        for rule, start, end in zip(rules.tolist(), first.tolist(), ends, strict=True):
            part = slice(start, end)
            yield rule, Episodes(self.rule[part], self.raised_ns[part], self.cleared_ns[part], self.priority[part])

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int, int]]) -> Episodes:
        """Put rows of rule, raised, cleared and priority in order."""
        table = np.array(sorted(rows), np.int64).reshape(-1, 4)
        return cls(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


class EpisodeLog:
    """Turns transitions into episodes as they come; each rule's in order, rules in any."""

    def __init__(self) -> None:
        self._standing: dict[int, tuple[int, Priority]] = {}
        self._rows = array("q")
        self._tables: list[Integers] = []

    def add(self, spans: Spans) -> None:
        """Take when other rules stood."""
        self._tables.append(np.column_stack([spans.rule, spans.start_ns, spans.end_ns, spans.priority]))

    def take(self, transitions: Iterable[RuleTransition]) -> None:
        """Take what rules said."""
        for transition in transitions:
            before = self._standing.get(transition.rule_id)
            if transition.kind is TransitionKind.CLEARED:
                if before is not None:
                    del self._standing[transition.rule_id]
                    self._rows.extend((transition.rule_id, before[0], transition.at_ns, int(before[1])))
            elif before is None:
                self._standing[transition.rule_id] = transition.at_ns, transition.priority
            else:
                self._standing[transition.rule_id] = before[0], min(before[1], transition.priority)

    def episodes(self, start_ns: int) -> Episodes:
        """Return every episode that had not ended by ``start_ns``, also those that stand still."""
        ended = np.frombuffer(self._rows, np.int64).reshape(-1, 4)
        standing = [(rule, at_ns, STANDING, int(urgency)) for rule, (at_ns, urgency) in self._standing.items()]
        table = np.concatenate([*self._tables, ended, np.array(standing, np.int64).reshape(-1, 4)])
        table = table[table[:, 2] >= start_ns]
        table = table[np.lexsort((table[:, 1], table[:, 0]))]
        return Episodes(*(np.ascontiguousarray(table[:, column]) for column in range(4)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What ISA-18.2 and EEMUA 191 look at."""

    alarms: int
    alarms_per_day: float
    peak_10_min: int
    """Most alarms in a period of 10 minutes."""
    floods: int
    flood_percent: float
    """Share of the time that was flood."""
    chattering: int
    """Alarms that were one of at least three of their rule within a minute."""
    fleeting: int
    stale: int
    in_alarm_s: float
    """Summed over rules."""
    by_priority: Mapping[Priority, int]
    ten_worst_percent: float
    """Share of the ten rules that alarmed most; 0 without alarms."""


def figures(episodes: Episodes, start_ns: int, end_ns: int) -> Figures:
    """Judge the time from ``start_ns`` to before ``end_ns``."""
    new = episodes.where((episodes.raised_ns >= start_ns) & (episodes.raised_ns < end_ns))
    alarms = len(new)
    counts = np.bincount(
        (new.raised_ns - start_ns) // TEN_MINUTES_NS, minlength=-(-(end_ns - start_ns) // TEN_MINUTES_NS)
    )
    floods = list(flood_periods(counts))
    lasted_ns = np.minimum(episodes.cleared_ns, end_ns) - episodes.raised_ns
    chatter = chatters(new)
    by_rule = np.unique(new.rule, return_counts=True)[1]
    return Figures(
        alarms=alarms,
        alarms_per_day=alarms * DAY_NS / (end_ns - start_ns),
        peak_10_min=int(counts.max(initial=0)),
        floods=len(floods),
        flood_percent=100.0 * _flooded_ns(floods, end_ns - start_ns) / (end_ns - start_ns),
        chattering=int(chatter.sum()),
        fleeting=int(((new.cleared_ns - new.raised_ns < FLEETING_NS) & ~chatter).sum()),
        stale=int((lasted_ns > STALE_NS).sum()),
        in_alarm_s=float(np.maximum(lasted_ns - np.maximum(start_ns - episodes.raised_ns, 0), 0).sum()) / NS_PER_S,
        by_priority={priority: int((new.priority == priority).sum()) for priority in Priority},
        ten_worst_percent=100.0 * float(np.sort(by_rule)[-WORST:].sum()) / alarms if alarms else 0.0,
    )


def flood_periods(counts: Integers) -> Iterator[tuple[int, int]]:
    """Give each flood as its first period of 10 minutes and the one after its last, from the alarms in each."""
    if counts.max(initial=0) <= FLOOD_ABOVE:
        return
    began: int | None = None
    for place, count in enumerate(counts.tolist()):
        if began is None and count > FLOOD_ABOVE:
            began = place
        elif began is not None and count < FLOOD_BELOW:
            yield began, place
            began = None
    if began is not None:
        yield began, len(counts)


def chatters(episodes: Episodes) -> Flags:
    """Tell of each episode whether it is one of at least three of its rule that began within a minute."""
    found = np.zeros(len(episodes), np.bool_)
    ahead = CHATTER_COUNT - 1
    if len(episodes) <= ahead:
        return found
    first = (episodes.rule[ahead:] == episodes.rule[:-ahead]) & (
        episodes.raised_ns[ahead:] - episodes.raised_ns[:-ahead] <= CHATTER_NS
    )
    for place in range(CHATTER_COUNT):
        found[place : place + len(first)] |= first
    return found


def orders_opened(episodes: Episodes, start_ns: int, end_ns: int, *, ordering: Collection[int]) -> int:
    """Return how many orders the rules among ``ordering`` would have opened; see :data:`ORDER_OPEN_NS`."""
    return sum(
        _orders(zip(own.raised_ns.tolist(), own.cleared_ns.tolist(), strict=True), start_ns, end_ns)
        for rule, own in episodes.by_rule()
        if rule in ordering
    )


def _orders(spans: Iterable[tuple[int, int]], start_ns: int, end_ns: int) -> int:
    opened, finished_ns = 0, -STANDING
    for raised_ns, cleared_ns in spans:
        if raised_ns >= finished_ns:
            opened += start_ns <= raised_ns < end_ns
            finished_ns = raised_ns + ORDER_OPEN_NS
        finished_ns = max(finished_ns, cleared_ns)
    return opened


def unmatched(episodes: Episodes, others: Episodes) -> Flags:
    """Tell of each episode whether no other of the same rule overlaps it: new beside a live rule, or missed by a draft.

    One that begins in the very instant in which the other ends overlaps it.
    """
    alone = np.ones(len(episodes), np.bool_)
    theirs = dict(others.by_rule())
    place = 0
    for rule, own in episodes.by_rule():
        if rule in theirs:
            alone[place : place + len(own)] = ~_overlaps(own, theirs[rule].raised_ns, theirs[rule].cleared_ns)
        place += len(own)
    return alone


def _overlaps(episodes: Episodes, starts_ns: Integers, ends_ns: Integers) -> Flags:
    """Tell of each episode whether any of the stretches, which are in order and do not overlap each other, meets it."""
    first = np.searchsorted(ends_ns, episodes.raised_ns, side="left")
    inside = first < len(ends_ns)
    meets = starts_ns[np.minimum(first, len(ends_ns) - 1)] <= episodes.cleared_ns
    return inside & meets


class Label(NamedTuple):
    """A stretch of history in which people say that something was wrong."""

    start_ns: int
    end_ns: int
    rules: frozenset[int]
    """Those that should have said so; any of them is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """How alarms and labels fit."""

    labels: int
    caught: int
    """Labels that an episode of one of their rules overlaps."""
    false: int
    """Alarms of rules that have labels, and overlap none of them."""
    delay_s: float | None
    """Median time from a caught label's start to its first alarm, 0 where one stood already; ``None``: none caught."""

    @property
    def missed(self) -> int:
        """Return how many labels nothing told of."""
        return self.labels - self.caught


def label_figures(episodes: Episodes, labels: Sequence[Label], start_ns: int, end_ns: int) -> LabelFigures:
    """Hold the alarms from ``start_ns`` to before ``end_ns`` against labels."""
    own = dict(episodes.by_rule())
    delays = [delay for label in labels if (delay := _delay_ns(label, own)) is not None]
    return LabelFigures(
        labels=len(labels),
        caught=len(delays),
        false=sum(_false(rule, found, labels, start_ns, end_ns) for rule, found in own.items()),
        delay_s=float(np.median(delays)) / NS_PER_S if delays else None,
    )


def _delay_ns(label: Label, episodes: Mapping[int, Episodes]) -> int | None:
    """Return how late the first alarm of a label came; ``None``: none came."""
    delays = []
    for rule in label.rules & episodes.keys():
        own = episodes[rule]
        meets = (own.raised_ns <= label.end_ns) & (own.cleared_ns >= label.start_ns)
        if meets.any():
            delays.append(max(int(own.raised_ns[meets][0]) - label.start_ns, 0))
    return min(delays, default=None)


def _false(rule: int, own: Episodes, labels: Sequence[Label], start_ns: int, end_ns: int) -> int:
    spans = [label for label in labels if rule in label.rules]
    if not spans:
        return 0
    met = np.zeros(len(own), np.bool_)
    for label in spans:
        met |= (own.raised_ns <= label.end_ns) & (own.cleared_ns >= label.start_ns)
    return int((~met & (own.raised_ns >= start_ns) & (own.raised_ns < end_ns)).sum())


def _flooded_ns(floods: Iterable[tuple[int, int]], length_ns: int) -> int:
    return sum(min(after * TEN_MINUTES_NS, length_ns) - first * TEN_MINUTES_NS for first, after in floods)
