"""The API's words about back-tests, previews and suggestions; times are milliseconds since 1970-01-01 UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeAlias

from pydantic import Field, model_validator

from dashboards.schemas import Command, View
from facility.conditions import LimitSide
from facility.definition import LocalText
from facility.priority import Priority

EpisodeRow: TypeAlias = tuple[int, int | None, Priority]
"""When it was raised, when it cleared (``null``: it stood at the end), the most urgent priority that it reached."""

LONGEST_DAYS = 3_660
_MS_PER_DAY = 86_400_000


class Stretch(Command):
    """A stretch of history."""

    from_ms: int = Field(ge=0)
    to_ms: int
    """Not part of it any more."""

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if not 0 < self.to_ms - self.from_ms <= LONGEST_DAYS * _MS_PER_DAY:
            raise ValueError(f"write an earlier time as from_ms than as to_ms, at most {LONGEST_DAYS} days apart")
        return self


class LabelWindow(Stretch):
    """Something was wrong, as people know: an alarm should have said so."""

    rule_id: int | None = None
    """The rule that should have; ``null``: any of the asset's."""
    asset_id: str | None = None
    """``null`` as well: any tested rule."""


class TestedRule(Command):
    """One rule, as it is or as it might be."""

    rule_id: int
    definition: dict[str, Any] | None = None
    """As in ``GET /api/rules/{id}``; what it leaves out is as in the live rule. ``null``: the live rule alone."""


class StartBacktest(Stretch):
    """What to try on a stretch of history: some rules, what a proposed change would make live, or all rules."""

    rules: list[TestedRule] = Field(default=[], max_length=10_000)
    change_id: int | None = None
    all: bool = False
    labels: list[LabelWindow] = Field(default=[], max_length=10_000)

    @model_validator(mode="after")
    def _names_rules_once(self) -> Self:
        if bool(self.rules) + (self.change_id is not None) + self.all != 1:
            raise ValueError("write what to test: one of 'rules', 'change_id' or 'all: true'")
        if len({rule.rule_id for rule in self.rules}) < len(self.rules):
            raise ValueError("name each rule once")
        return self


class TryRule(Stretch):
    """A draft of one rule, to be seen at once."""

    definition: dict[str, Any]


class SuggestRule(Stretch):
    """What a rule's limits, deadband and delays are to reach."""

    target_per_day: float = Field(gt=0.0)
    """Alarms a day, at most."""
    labels: list[LabelWindow] = Field(default=[], max_length=1_000)


class BacktestState(StrEnum):
    """Where a back-test stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class LabelFigures(View):
    """How alarms and labels fit."""

    labels: int
    caught: int
    missed: int
    false: int
    """Alarms of rules that have labels, and overlap none of them."""
    delay_s: float | None
    """Median time from a caught label's start to its first alarm; ``null``: none caught."""


class FiguresView(View):
    """The figures of ISA-18.2 and EEMUA 191."""

    alarms: int
    alarms_per_day: float
    peak_10_min: int
    floods: int
    flood_percent: float
    chattering: int
    fleeting: int
    stale: int
    in_alarm_s: float
    by_priority: dict[Priority, int]
    ten_worst_percent: float
    orders: int
    """Work orders that would have been opened."""
    labels: LabelFigures | None
    """``null`` without labels."""


class RuleOutcome(View):
    """One rule on the stretch of history."""

    rule_id: int
    asset_id: str
    name: str
    live: FiguresView | None
    """``null``: the rule is not live."""
    draft: FiguresView | None
    """``null``: there is no draft of it, or the draft switches it off."""
    new: int
    """Episodes of the draft that no live one overlaps."""
    missed: int
    """Live episodes that none of the draft overlaps."""
    new_episodes: list[EpisodeRow]
    """The first of them."""
    missed_episodes: list[EpisodeRow]


class BacktestResult(View):
    """What rules would have said."""

    samples: int
    seconds: float
    """How long it took."""
    live: FiguresView
    """All tested rules together."""
    draft: FiguresView | None
    """``null``: no draft was given."""
    new: int
    missed: int
    rules: list[RuleOutcome]
    """Those that differ or alarm most come first."""
    rules_left_off: int
    """How many more would follow."""


class BacktestView(View):
    """A back-test and how far it is."""

    id: int
    state: BacktestState
    progress: float
    """Share of the history that is behind, 0 to 1."""
    author: str
    created_at: datetime
    from_ms: int
    to_ms: int
    rules: int
    """How many are tested."""
    error: str | None
    """Why it failed and what to do; ``null`` unless it did."""
    result: BacktestResult | None
    """``null`` until it is done, and in lists."""


class BacktestList(View):
    """Back-tests of the last hours, the newest first."""

    backtests: list[BacktestView]


class TryView(View):
    """A draft of one rule beside the live one."""

    samples: int
    from_ms: int
    """Where it really begins: the newest samples are taken where there are too many."""
    to_ms: int
    live: FiguresView | None
    draft: FiguresView
    live_episodes: list[EpisodeRow]
    draft_episodes: list[EpisodeRow]
    new: list[int]
    """Positions in ``draft_episodes`` of those that no live one overlaps."""
    missed: list[int]
    """Positions in ``live_episodes`` of those that none of the draft overlaps."""


class CandidateView(View):
    """Settings and what they would do."""

    limit: float | None
    """``null`` for a state."""
    deadband: float
    on_delay_s: float
    off_delay_s: float
    alarms_per_day: float
    labels_caught: int
    """Labels within which, or shortly before which, an alarm began."""
    labels: int
    delay_s: float | None
    """Median time from a caught label's start to its first alarm; ``null``: none caught."""
    idle_percent: float
    """Share of the time without a label in which an alarm stood."""


class SuggestionView(View):
    """What is proposed for a rule, and what else could be had."""

    side: LimitSide | None
    """The limit that is moved; ``null`` for a state."""
    live: CandidateView
    curve: list[CandidateView]
    """From few alarms to many; none is beaten by another in all that counts."""
    chosen: CandidateView
    condition: dict[str, Any]
    """The rule's condition with the chosen settings, for a draft."""
    words: LocalText
    """Why, with figures."""
