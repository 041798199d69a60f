"""From episodes to what people compare: figures of all rules together and of each, live beside draft."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from alarms.performance import (
    Episodes,
    Flags,
    Label,
    figures,
    label_figures,
    orders_opened,
    unmatched,
)
from dashboards.backtest_schemas import (
    BacktestResult,
    CandidateView,
    EpisodeRow,
    FiguresView,
    LabelFigures,
    RuleOutcome,
    SuggestionView,
    TryView,
)
from facility.clock import NS_PER_MS
from facility.model import Facility
from facility.priority import Priority
from rules.backtest import Period
from rules.spans import STANDING
from rules.suggestion import Suggestion
from rules.trial import Candidate

MOST_RULES: Final = 500
"""Rules that a result tells of one by one."""
MOST_EPISODES: Final = 200
"""New, and missed, episodes that it lists of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A set of rules and what it said."""

    facility: Facility
    episodes: Episodes
    tested: frozenset[int]
    """Those of the tested rules that the set has."""
    period: Period
    labels: Sequence[Label]

    @property
    def ordering(self) -> frozenset[int]:
        """Return the rules whose episodes open work orders."""
        return frozenset(key for key in self.tested if self.facility.rules[key].definition.order is not None)

    def figures(self, episodes: Episodes, rules: Collection[int]) -> FiguresView:
        """Return the figures of some episodes, which are those of ``rules``."""
        start_ns, end_ns = self.period.start_ns, self.period.end_ns
        labels = [label for label in self.labels if not label.rules.isdisjoint(rules)]
        found = label_figures(episodes, labels, start_ns, end_ns)
        return FiguresView(
            **asdict(figures(episodes, start_ns, end_ns)),
            orders=orders_opened(episodes, start_ns, end_ns, ordering=self.ordering),
            labels=LabelFigures(**asdict(found), missed=found.missed) if labels else None,
        )


def judged(
    facility: Facility, episodes: Episodes, tested: Collection[int], period: Period, labels: Sequence[Label]
) -> Judged:
    """Put together what a set of rules said."""
    own = frozenset(key for key in tested if key in facility.rules)
    return Judged(facility=facility, episodes=episodes, tested=own, period=period, labels=labels)


def result_of(live: Judged, draft: Judged | None, *, samples: int, seconds: float) -> BacktestResult:
    """Compare two sets of rules; without drafts, show the live ones."""
    rules = sorted(_outcomes(live, draft), key=_interest)
    return BacktestResult(
        samples=samples,
        seconds=round(seconds, 3),
        live=live.figures(live.episodes, live.tested),
        draft=None if draft is None else draft.figures(draft.episodes, draft.tested),
        new=sum(rule.new for rule in rules),
        missed=sum(rule.missed for rule in rules),
        rules=rules[:MOST_RULES],
        rules_left_off=max(len(rules) - MOST_RULES, 0),
    )


def try_view(live: Judged, draft: Judged, *, samples: int, period: Period) -> TryView:
    """Show one rule's draft beside it, with every episode."""
    return TryView(
        samples=samples,
        from_ms=period.start_ns // NS_PER_MS,
        to_ms=period.end_ns // NS_PER_MS,
        live=live.figures(live.episodes, live.tested) if live.tested else None,
        draft=draft.figures(draft.episodes, draft.tested),
        live_episodes=_rows(live.episodes),
        draft_episodes=_rows(draft.episodes),
        new=np.flatnonzero(unmatched(draft.episodes, live.episodes)).tolist(),
        missed=np.flatnonzero(unmatched(live.episodes, draft.episodes)).tolist(),
    )


def suggestion_view(suggestion: Suggestion, labels: int) -> SuggestionView:
    """Show what is proposed."""

    def view(candidate: Candidate) -> CandidateView:
        return CandidateView(
            **asdict(candidate.settings),
            alarms_per_day=candidate.alarms_per_day,
            labels_caught=candidate.labels_caught,
            labels=labels,
            delay_s=candidate.delay_s,
            idle_percent=candidate.idle_percent,
        )

    return SuggestionView(
        side=suggestion.side,
        live=view(suggestion.live),
        curve=[view(candidate) for candidate in suggestion.curve],
        chosen=view(suggestion.chosen),
        condition=suggestion.condition.model_dump(mode="json"),
        words=suggestion.words,
    )


def _interest(rule: RuleOutcome) -> tuple[int, int, str, str]:
    alarms = max((shown.alarms for shown in (rule.live, rule.draft) if shown is not None), default=0)
    return -(rule.new + rule.missed), -alarms, rule.asset_id, rule.name


def _outcomes(live: Judged, draft: Judged | None) -> Iterable[RuleOutcome]:
    ours = dict(live.episodes.by_rule())
    theirs = {} if draft is None else dict(draft.episodes.by_rule())
    for key in sorted(live.tested | (draft.tested if draft else frozenset())):
        old, new = ours.get(key, NOTHING), theirs.get(key, NOTHING)
        added = new.where(unmatched(new, old))
        lost = old.where(unmatched(old, new) if draft else np.zeros(len(old), np.bool_))
        rule = (live if key in live.tested or draft is None else draft).facility.rules[key]
        yield RuleOutcome(
            rule_id=key,
            asset_id=rule.asset_id,
            name=rule.definition.name,
            live=live.figures(old, {key}) if key in live.tested else None,
            draft=draft.figures(new, {key}) if draft and key in draft.tested else None,
            new=len(added),
            missed=len(lost),
            new_episodes=_rows(added.where(_first(added))),
            missed_episodes=_rows(lost.where(_first(lost))),
        )


def _first(episodes: Episodes) -> Flags:
    return np.arange(len(episodes)) < MOST_EPISODES


def _rows(episodes: Episodes) -> list[EpisodeRow]:
    columns = (episodes.raised_ns.tolist(), episodes.cleared_ns.tolist(), episodes.priority.tolist())
    return [
        (raised // NS_PER_MS, None if cleared == STANDING else cleared // NS_PER_MS, Priority(priority))
        for raised, cleared, priority in zip(*columns, strict=True)
    ]


NOTHING: Final = Episodes.of([])
