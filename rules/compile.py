"""From a facility to the kernel's columns: rules and maintenance plans become rows, ordered by point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from facility.conditions import Condition
from facility.errors import ConfigurationError, Mistake, WatchkeeperError
from facility.model import Facility, Point, Rule
from facility.priority import Priority
from facility.quality import Quality
from rules import fingerprint, kernel
from rules.baseline import Baseline
from rules.columns import allocate, table_of
from rules.events import Reason
from rules.layout import Columns, Rows
from rules.rows import Owner, Range, Row, Shape, rows_of
from rules.signals.network import Network
from rules.signals.wiring import Wiring, is_computed

NOTHING_LEARNED: Final[Mapping[int, Baseline]] = {}

_RECORDS = 8192


@dataclass(frozen=True, slots=True)
class Program:
    """A facility's rules, ready to run."""

    columns: Columns
    rows: tuple[Row, ...]
    """What each row of the columns means."""
    network: Network | None = None
    """What is computed for rules that the kernel does not decide on samples; ``None``: there are none."""
    followed: frozenset[str] = frozenset()
    """Owners of the rules that other rules read."""

    @property
    def fingerprints(self) -> dict[str, str]:
        """Return the fingerprint of every owner."""
        return {row.owner.key: row.owner.fingerprint for row in self.rows}


def compile_facility(facility: Facility, baselines: Mapping[int, Baseline] = NOTHING_LEARNED) -> Program:
    """Turn all rules and maintenance plans into columns.

    Args:
        facility: Whose rules and plans.
        baselines: By rule, what was learned of its good period.

    Raises:
        ConfigurationError: A rule or plan refers to a point, state or rule that the facility does not have, or that
            does not fit; lists every mistake.
    """
    mistakes: list[Mistake] = []
    wiring = Wiring(facility, baselines)
    of_rules = list(_rule_rows(facility, wiring, mistakes))
    rows = sorted([*of_rules, *_plan_rows(facility, mistakes)], key=lambda row: row.point)
    if mistakes:
        raise ConfigurationError(mistakes)
    return replace(_lay_out(rows), network=wiring.network(), followed=wiring.followed)


def _rule_rows(facility: Facility, wiring: Wiring, mistakes: list[Mistake]) -> Iterator[Row]:
    direct = _DirectRows()
    for rule in facility.rules.values():
        point = facility.points.get(rule.point_key)
        if point is None:
            message = f"watches point {rule.point_key}, which the facility does not have"
            mistakes.append(Mistake(_named(rule), 0, message))
            continue
        unknown = _unknown_states(rule.definition.condition, point)
        if unknown:
            known = ", ".join(point.definition.states) or "none"
            mistakes.append(Mistake(_named(rule), 0, f"{point.address} has no state {unknown}; write one of: {known}"))
        elif is_computed(rule):
            try:
                yield from wiring.rows(rule, point)
            except WatchkeeperError as error:
                mistakes.append(Mistake(_named(rule), 0, str(error)))
        else:
            yield from direct.of(rule, point)


def _named(rule: Rule) -> str:
    return f"rule {rule.definition.name} of {rule.asset_id}"


class _DirectRows:
    """Makes rows of rules that the kernel decides on samples; what rules of one definition share is made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], tuple[str, Priority, list[Row]]] = {}
        """By identity of the rule's definition and the point's, which the facility keeps alive."""

    def of(self, rule: Rule, point: Point) -> Iterator[Row]:
        """Yield a rule's rows on its point."""
        identity = id(rule.definition), id(point.definition)
        made = self._made.get(identity)
        if made is None:
            owner = Owner(key="", fingerprint="", priority=rule.definition.priority)
            rows = rows_of(rule.definition.condition, owner, point)
            made = self._made[identity] = fingerprint.semantics_of(rule, point), owner.priority, rows
        semantics, priority, rows = made
        owner = Owner(
            key=f"rule:{rule.id}",
            fingerprint=fingerprint.of_semantics(semantics, point),
            rule_id=rule.id,
            priority=priority,
            asset_id=rule.asset_id,
        )
        return (row._replace(owner=owner, point=point.key) for row in rows)


def _unknown_states(condition: Condition, point: Point) -> str:
    names = fingerprint.named_states(condition)
    return ", ".join(name for name in names if name not in point.definition.states)


def _plan_rows(facility: Facility, mistakes: list[Mistake]) -> Iterator[Row]:
    points = {(point.asset_id, point.name): point for point in facility.points.values()}
    for asset in facility.assets.values():
        for name, plan in asset.equipment_class.maintenance.items():
            meter = points.get((asset.id, plan.meter))
            if meter is None:
                mistakes.append(Mistake(f"plan {name} of {asset.id}", 0, f"{asset.id} has no meter {plan.meter}"))
                continue
            owner = Owner(
                key=f"plan:{asset.id}/{name}",
                fingerprint=fingerprint.of_plan(plan, meter),
                asset_id=asset.id,
                plan=name,
            )
            yield Row(
                owner=owner,
                ordinal=0,
                point=meter.key,
                shape=Shape(kernel.METER, (Range(enter=(plan.every, math.inf), stay=(-math.inf, math.inf)),)),
                reason=Reason.NORMAL,
                priority=owner.priority,
                limit=plan.every,
            )


def _lay_out(rows: list[Row]) -> Program:
    watched = np.array([row.point for row in rows], np.int64)
    keys = int(watched.max(initial=-1)) + 1
    per_point = np.bincount(watched, minlength=keys)
    shapes = dict.fromkeys(row.shape for row in rows)
    numbers = {shape: number for number, shape in enumerate(shapes)}
    columns = allocate(
        keys=keys,
        rows=len(rows),
        shapes=len(shapes),
        ranges=sum(len(shape.ranges) for shape in shapes),
        records=max(_RECORDS, 2 * int(per_point.max(initial=0))),
    )
    points = columns.points
    table_of(points.whole)[watched, kernel.NEWEST] = kernel.UNSEEN
    points.first_row[1:] = np.cumsum(per_point)
    graded = [row.point for row in rows if row.shape.kind == kernel.QUALITY]
    points.grade[graded] = Quality.GOOD
    table_of(points.whole)[graded, kernel.QUIET_TO] = Quality.GOOD  # none is quiet before the first was looked at
    columns.rows.live[:, kernel.SHAPE] = [numbers[row.shape] for row in rows]
    _lay_out_shapes(list(shapes), columns.rows)
    return Program(columns, tuple(rows))


def _lay_out_shapes(shapes: Sequence[Shape], rows: Rows) -> None:
    rows.setup[:-1, kernel.KIND] = [shape.kind for shape in shapes]
    rows.setup[:-1, kernel.ON_DELAY] = [shape.on_delay_ns for shape in shapes]
    rows.setup[:-1, kernel.OFF_DELAY] = [shape.off_delay_ns for shape in shapes]
    rows.setup[1:, kernel.FIRST_RANGE] = np.cumsum([len(shape.ranges) for shape in shapes])
    edges = [(*part.enter, *part.stay) for shape in shapes for part in shape.ranges]
    rows.edge[:] = np.array(edges).reshape(-1, 4)
