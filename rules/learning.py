"""Which baselines a facility's rules need, and what was learned for them; inside the caller's transaction.

What was learned outlives the samples it was learned from, and belongs to a rule *and* to all that it depends on: its
points, its good period, its grid and its smoothing. A rule that is changed and rolled back finds its old baseline.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from facility.conditions import Baseline as BaselineCondition
from facility.conditions import GoodPeriod
from facility.expression import ExpressionError
from facility.model import Facility, Point, Rule
from rules.baseline import Baseline
from rules.signals.operating import OperatingState, operating_state
from rules.tables import rule_baseline

_KEY = ("rule_id", "fingerprint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What one rule has to learn."""

    rule: Rule
    condition: BaselineCondition
    points: tuple[Point, ...]
    """In the order of the condition's names."""
    state: OperatingState | None
    """In which it is learned as it is watched; ``None``: in any."""

    @property
    def period(self) -> GoodPeriod | None:
        """Return what to learn from; ``None``: nobody has named it yet."""
        return self.condition.good_period

    @property
    def place(self) -> str:
        """Return how people find the rule."""
        return f"rule {self.rule.definition.name} of {self.rule.asset_id}"

    @property
    def fingerprint(self) -> str:
        """Return what tells whether something learned still holds; the limit is not learned, so it may move."""
        asked = self.condition.model_dump(mode="json", include={"sample_s", "smoothing"})
        period = None if self.period is None else [self.period.start.timestamp(), self.period.end.timestamp()]
        points = [(point.key, point.definition.unit) for point in self.points]
        text = json.dumps([points, period, asked, self.rule.definition.only_when], sort_keys=True)
        return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What came of a lesson."""

    rule_id: int
    fingerprint: str
    baseline: Baseline | None
    """``None``: nothing; ``problem`` says why."""
    rows: int
    """Of the good period, with a value of every point."""
    at_ns: int
    """When it was tried."""
    problem: str = ""
    """Why nothing was learned, and what to do; empty with a baseline."""


def lessons(facility: Facility) -> list[Lesson]:
    """Return what the facility's rules have to learn, in the order of the rules.

    A rule whose points or operating state do not fit the facility is left to those who check it.
    """
    return _lessons(facility, facility.rules)


def _lessons(facility: Facility, rule_ids: Iterable[int]) -> list[Lesson]:
    rules = (facility.rules[rule_id] for rule_id in rule_ids)
    return [lesson for rule in rules if (lesson := _lesson(facility, rule)) is not None]


def _lesson(facility: Facility, rule: Rule) -> Lesson | None:
    condition = rule.definition.condition
    if not isinstance(condition, BaselineCondition):
        return None
    points = {point.name: point for point in facility.points_of(rule.asset_id)}
    try:
        chosen = tuple(points[name] for name in condition.points)
        return Lesson(rule=rule, condition=condition, points=chosen, state=operating_state(rule, points))
    except (KeyError, ExpressionError):
        return None


def load_baselines(connection: Connection, facility: Facility) -> dict[int, Baseline]:
    """Return what was learned for the facility's rules as they are now, by rule id."""
    known = load_learned(connection)
    taught = facility.rules.keys() & {rule_id for rule_id, _ in known}
    kept = {lesson.rule.id: known.get((lesson.rule.id, lesson.fingerprint)) for lesson in _lessons(facility, taught)}
    return {rule_id: learned.baseline for rule_id, learned in kept.items() if learned and learned.baseline}


def load_learned(connection: Connection) -> dict[tuple[int, str], Learned]:
    """Return all that was ever learned, by rule and fingerprint."""
    return {
        (line.rule_id, line.fingerprint): Learned(
            rule_id=line.rule_id,
            fingerprint=line.fingerprint,
            baseline=None if line.model is None else _baseline_of(line.model),
            rows=line.rows_used,
            at_ns=line.fitted_at_ns,
            problem=line.problem,
        )
        for line in connection.execute(select(rule_baseline))
    }


def save_learned(connection: Connection, learned: Learned) -> None:
    """Keep what came of a lesson in the place of what came of the same one before."""
    line = {
        "rule_id": learned.rule_id,
        "fingerprint": learned.fingerprint,
        "model": None if learned.baseline is None else _model_of(learned.baseline),
        "rows_used": learned.rows,
        "fitted_at_ns": learned.at_ns,
        "problem": learned.problem,
    }
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    newest = {name: value for name, value in line.items() if name not in _KEY}
    statement = dialect.insert(rule_baseline).values(line)
    connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=newest))


def _model_of(baseline: Baseline) -> dict[str, Any]:
    """Return the baseline as JSON has it; every float comes back as it was."""
    values = {each.name: getattr(baseline, each.name) for each in fields(baseline)}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def _baseline_of(model: Mapping[str, Any]) -> Baseline:
    return Baseline(
        smoothing=model["smoothing"],
        mean=np.array(model["mean"]),
        spread=np.array(model["spread"]),
        centre=np.array(model["centre"]),
        precision=np.array(model["precision"]),
        usual=model["usual"],
    )
