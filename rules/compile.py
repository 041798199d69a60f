"""From a facility to the kernel's columns: rules and maintenance plans become rows, ordered by point."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from facility.equipment import RuleDefinition
from facility.errors import ConfigurationError, Mistake, WatchkeeperError
from facility.model import Facility, Point, Rule
from facility.priority import Priority
from facility.quality import Quality
from rules import fingerprint, kernel
from rules.baseline import Baseline
from rules.columns import allocate, table_of
from rules.events import Reason
from rules.layout import Columns
from rules.rows import Owner, Range, Row, Shape, rows_of
from rules.shapes import Shapes, shapes_at, shapes_of
from rules.signals.network import Network
from rules.signals.wiring import Wiring, is_computed, wired_alike

NOTHING_LEARNED: Final[Mapping[int, Baseline]] = {}

_RECORDS = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A facility's rules, ready to run."""

    facility: Facility
    """Whose rules these are."""
    baselines: Mapping[int, Baseline]
    """By rule, what had been learned of its good period."""
    columns: Columns
    rows: tuple[Row, ...]
    """What each row of the columns means."""
    network: Network | None
    """What is computed for rules that the kernel does not decide on samples; ``None``: there are none."""
    followed: frozenset[str]
    """Owners of the rules that other rules read."""
    tied: frozenset[int]
    """Ids of the rules that the network computes or reads."""

    @property
    def fingerprints(self) -> dict[str, str]:
        """Return the fingerprint of every owner."""
        return {row.owner.key: row.owner.fingerprint for row in self.rows}


def compile_facility(
    facility: Facility, baselines: Mapping[int, Baseline] = NOTHING_LEARNED, before: Program | None = None
) -> Program:
    """Turn all rules and maintenance plans into columns.

    Args:
        facility: Whose rules and plans.
        baselines: By rule, what was learned of its good period.
        before: What ran until an edit. Where nothing but rules was edited, the rows of all others are taken from it as
            they are, and so is its network where no rule of the network was edited. It goes on running until another
            takes its place, and nothing of it is changed here.

    Raises:
        ConfigurationError: A rule or plan refers to a point, state or rule that the facility does not have, or that
            does not fit; lists every mistake.
    """
    if before is None or not facility.differs_in_rules_alone(before.facility):
        return _compiled(facility, baselines)
    return _recompiled(before, facility, baselines)


def _compiled(facility: Facility, baselines: Mapping[int, Baseline]) -> Program:
    mistakes: list[Mistake] = []
    wiring = Wiring(facility, baselines)
    plans = _plan_rows(facility, mistakes)
    rows = [*plans, *_rule_rows(facility, facility.rules.keys(), wiring, mistakes)]
    _refuse(mistakes)
    return _laid_out(facility, baselines, rows, shapes_of(rows), _wired(wiring, rows))


def _recompiled(before: Program, facility: Facility, baselines: Mapping[int, Baseline]) -> Program:
    """Make the rows of edited rules, and all that the network is made of where it is another one; take the others."""
    edited = _edited(before.facility.rules, facility.rules)
    keeps_network = _keeps_network(before, facility, baselines, edited)
    made = edited if keeps_network else edited | before.tied
    mistakes: list[Mistake] = []
    wiring = Wiring(facility, baselines)
    keys = _virtual_points(before, edited & before.tied) if keeps_network else {}
    fresh = list(_rule_rows(facility, made, wiring, mistakes, keys))
    _refuse(mistakes)
    kept = np.flatnonzero([row.owner.rule_id not in made for row in before.rows])
    rows = [*(before.rows[place] for place in kept.tolist()), *fresh]
    shapes = shapes_at(before.columns.rows, kept).and_also(shapes_of(fresh)).in_use()
    wired = _Wired(before.network, before.followed, before.tied) if keeps_network else _wired(wiring, rows)
    return _laid_out(facility, baselines, rows, shapes, wired)


def _edited(old: Mapping[int, Rule], new: Mapping[int, Rule]) -> set[int]:
    """Return the ids of rules that are different, there for the first time, or gone."""
    # Nearly all are the same objects, and equality is slow to find that out.
    changed = {key for key, rule in new.items() if (was := old.get(key)) is not rule and was != rule}
    return changed | (old.keys() - new.keys())


def _keeps_network(
    before: Program, facility: Facility, baselines: Mapping[int, Baseline], edited: Collection[int]
) -> bool:
    """Tell whether the network goes on as it is."""
    old, new = before.facility.rules, facility.rules
    tied = (key for key in edited if key in before.tied or (key in new and is_computed(new[key].definition)))
    return (
        all(key in old and key in new and wired_alike(old[key], new[key]) for key in tied)
        and _lessons(before.baselines) == _lessons(baselines)
        and not (before.network and before.network.isolated)  # which are asked again
    )


def _lessons(baselines: Mapping[int, Baseline]) -> dict[int, str]:
    return {rule_id: baseline.lesson for rule_id, baseline in baselines.items()}


def _virtual_points(program: Program, rule_ids: Collection[int]) -> dict[int, int]:
    """Return for rules of the network the first key of the virtual points that their rows are on."""
    real = program.facility.points
    found: dict[int, int] = {}
    for row in program.rows if rule_ids else ():
        rule_id = row.owner.rule_id
        if rule_id is not None and rule_id in rule_ids and row.point not in real:
            found.setdefault(rule_id, row.point)
    return found


class _Wired(NamedTuple):
    """What a program has under the same names."""

    network: Network | None
    followed: frozenset[str]
    tied: frozenset[int]


def _wired(wiring: Wiring, rows: Sequence[Row]) -> _Wired:
    """Return what came of wiring all rules that need it; their rows are among these."""
    network, followed = wiring.network(), wiring.followed
    if network is None:
        return _Wired(None, frozenset(), frozenset())
    owners = (row.owner for row in rows)
    tied = (owner.rule_id for owner in owners if fingerprint.is_computed(owner.fingerprint) or owner.key in followed)
    return _Wired(network, followed, frozenset(rule_id for rule_id in tied if rule_id is not None))


def _refuse(mistakes: Sequence[Mistake]) -> None:
    if mistakes:
        raise ConfigurationError(mistakes)


def _rule_rows(
    facility: Facility,
    ids: Collection[int],
    wiring: Wiring,
    mistakes: list[Mistake],
    keys: Mapping[int, int] = MappingProxyType({}),
) -> Iterator[Row]:
    """Yield the rows of rules; ``keys``: by rule, the first of the virtual points that it has already."""
    shared: dict[tuple[int, int], _Shared] = {}
    """By identity of the rule's definition and the point's, which the facility keeps alive."""
    for rule in facility.rules.values():
        if rule.id not in ids:
            continue
        point = facility.points.get(rule.point_key)
        if point is None:
            message = f"watches point {rule.point_key}, which the facility does not have"
            mistakes.append(Mistake(_named(rule), 0, message))
            continue
        identity = id(rule.definition), id(point.definition)
        if identity not in shared:
            shared[identity] = _shared(rule.definition, point)
        alike = shared[identity]
        if alike.mistake:
            mistakes.append(Mistake(_named(rule), 0, f"{point.address} {alike.mistake}"))
        elif alike.is_computed:
            try:
                yield from wiring.rows(rule, point, keys.get(rule.id))
            except WatchkeeperError as error:
                mistakes.append(Mistake(_named(rule), 0, str(error)))
        else:
            yield from alike.rows_of(rule, point)


def _named(rule: Rule) -> str:
    return f"rule {rule.definition.name} of {rule.asset_id}"


class _Shared(NamedTuple):
    """What rules of one definition have in common on points of one definition; it is made once."""

    mistake: str = ""
    """What is wrong with them, to be said of a point; empty: nothing."""
    is_computed: bool = False
    """They are for the wiring, and all that follows here says nothing."""
    semantics: str = ""
    priority: Priority = Priority.LOW
    rows: Sequence[Row] = ()

    def rows_of(self, rule: Rule, point: Point) -> Iterator[Row]:
        """Yield the rows of one of the rules, which the kernel decides on its point's samples."""
        owner = Owner(
            key=f"rule:{rule.id}",
            fingerprint=fingerprint.of_semantics(self.semantics, point),
            rule_id=rule.id,
            priority=self.priority,
            asset_id=rule.asset_id,
        )
        return (row.of(owner, point.key) for row in self.rows)


def _shared(definition: RuleDefinition, point: Point) -> _Shared:
    states, condition = point.definition.states, definition.condition
    unknown = ", ".join(name for name in fingerprint.named_states(condition) if name not in states)
    if unknown:
        return _Shared(mistake=f"has no state {unknown}; write one of: {', '.join(states) or 'none'}")
    if is_computed(definition):
        return _Shared(is_computed=True)
    priority = definition.priority
    return _Shared(
        semantics=fingerprint.semantics_of(condition, priority, point),
        priority=priority,
        rows=rows_of(condition, Owner(key="", fingerprint="", priority=priority), point),
    )


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


def _laid_out(
    facility: Facility,
    baselines: Mapping[int, Baseline],
    rows: Sequence[Row],
    shapes: Shapes,
    wired: _Wired,
) -> Program:
    points = np.array([row.point for row in rows], np.int64)
    order = np.argsort(points, kind="stable")
    return Program(
        facility=facility,
        baselines=baselines,
        columns=_lay_out(points[order], shapes._replace(number=shapes.number[order])),
        rows=tuple(rows[place] for place in order.tolist()),
        **wired._asdict(),
    )


def _lay_out(watched: npt.NDArray[np.int64], shapes: Shapes) -> Columns:
    keys = int(watched.max(initial=-1)) + 1
    per_point = np.bincount(watched, minlength=keys)
    columns = allocate(
        keys=keys,
        rows=len(watched),
        shapes=len(shapes.setup) - 1,
        ranges=len(shapes.edge),
        records=max(_RECORDS, 2 * int(per_point.max(initial=0))),
    )
    points, rows = columns.points, columns.rows
    table_of(points.whole)[watched, kernel.NEWEST] = kernel.UNSEEN
    points.first_row[1:] = np.cumsum(per_point)
    graded = watched[shapes.setup[shapes.number, kernel.KIND] == kernel.QUALITY]
    points.grade[graded] = Quality.GOOD
    table_of(points.whole)[graded, kernel.QUIET_TO] = Quality.GOOD  # none is quiet before the first was looked at
    rows.live[:, kernel.SHAPE] = shapes.number
    rows.setup[:] = shapes.setup
    rows.edge[:] = shapes.edge
    return columns
