"""From rules to signals: what each rule reads, what is computed for it, and the virtual points that carry it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Final
from zoneinfo import ZoneInfo

from facility.conditions import (
    DIRECT,
    BadQuality,
    Baseline,
    Coincidence,
    Composite,
    Condition,
    Deviation,
    EventCount,
    ForbiddenState,
    Limited,
    MovingThreshold,
    NoData,
    Schedule,
    State,
    Threshold,
)
from facility.equipment import PointKind, RuleDefinition
from facility.errors import ConfigurationError, Mistake, WatchkeeperError
from facility.expression import Operand, names_in, parse
from facility.holidays import SiteCalendar
from facility.model import Facility, Point, Rule
from facility.surroundings import Surroundings
from facility.yaml_file import did_you_mean
from rules import fingerprint
from rules.baseline import Baseline as Learned
from rules.rows import Owner, Row, computed_rows, nanoseconds, rows_of, standing_row
from rules.signals.chart import ChartSignal
from rules.signals.coincidence import CoincidenceSignal
from rules.signals.composite import CompositeSignal, Term
from rules.signals.deviation import DeviationSignal, MovingLimitsSignal, Reference
from rules.signals.events import EventCounter
from rules.signals.held import ChartReading, HeldTruth, HeldValue
from rules.signals.junction import Gate, Junction
from rules.signals.network import Network
from rules.signals.operating import operating_state
from rules.signals.parts import Cell, Clockwork
from rules.signals.quantities import quantity_of
from rules.signals.schedule_timer import ScheduleTimer
from rules.signals.signal import Joined, Quantity, Source, Stands


class WiringError(WatchkeeperError):
    """A rule cannot be wired; the message says what it refers to and what there is."""


class Wiring:
    """Wires the rules of one facility, one after the other."""

    def __init__(self, facility: Facility, baselines: Mapping[int, Learned]) -> None:
        """Take the facility, and by rule what was learned for its baselines."""
        self._facility = facility
        self._baselines = baselines
        self._around = Surroundings(facility)
        self._zone = ZoneInfo(facility.time_zone)
        self._calendar = SiteCalendar(facility.holidays)
        self._next_key = max(facility.ever.points, default=0) + 1
        self._junctions: list[Junction] = []
        self._cells: list[Cell] = []
        self._clockworks: dict[Source, Clockwork] = {}

    def network(self) -> Network | None:
        """Return all signals; ``None``: no rule needs any.

        Raises:
            ConfigurationError: Composites read each other in a circle.
        """
        if not self._junctions and not self._cells:
            return None
        set_levels(self._junctions, self._facility)
        return Network(self._junctions, self._cells, self._clockworks.values())

    @property
    def followed(self) -> frozenset[str]:
        """Return the owners of the rules that other rules read."""
        sources = (source for junction in self._junctions for source in junction.signal.inputs)
        return frozenset(source.owner for source in sources if isinstance(source, Stands))

    def rows(self, rule: Rule, point: Point, first_key: int | None = None) -> list[Row]:
        """Return the rows of a rule that is not decided on its point's own samples, and wire what they need.

        Args:
            rule: Which.
            point: Its own point.
            first_key: Of the virtual points that carry what it reads, where it has some; ``None``: the next ones.

        Raises:
            WatchkeeperError: It refers to something that is not there, or that does not fit.
        """
        if first_key is not None:
            self._next_key = first_key
        condition = rule.definition.condition
        gate = self._gate(rule)
        match condition:
            case NoData() | BadQuality():
                return self._standing(rule, point, condition, gate)
            case Threshold() | State() | ForbiddenState():
                signal: Joined = HeldValue(point.key, is_code=not isinstance(condition, Threshold))
                owner = self._owner(rule, point, signal, gate)
                (key,) = self._join(owner, signal, gate)
                return rows_of(condition, owner, point, key)
        quantity = quantity_of(condition)
        if quantity is not None:
            return self._quantity(rule, point, quantity, gate)
        if isinstance(condition, EventCount):
            return self._events(rule, point, condition, gate)
        if isinstance(condition, Baseline):
            return self._chart(rule, point, condition, gate)
        signal = self._signal(rule, point, condition)
        owner = self._owner(rule, point, signal, gate)
        count = len(condition.limits) if isinstance(condition, MovingThreshold) else 1
        return computed_rows(condition, owner, self._join(owner, signal, gate, count))

    def _signal(self, rule: Rule, point: Point, condition: Condition) -> Joined:
        match condition:
            case Deviation():
                return DeviationSignal(point, Reference.beside(point, self._point(rule, condition.reference)))
            case MovingThreshold():
                limits = [
                    Reference.beside(point, self._point(rule, limit.point), limit.offset)
                    for limit in condition.limits.values()
                ]
                return MovingLimitsSignal(point, limits)
            case Coincidence():
                return self._coincidence(rule, condition)
            case Composite():
                return self._composite(rule, condition)
        raise WiringError(f"conditions of type {condition.type} cannot be watched yet; switch the rule off")

    def _standing(self, rule: Rule, point: Point, condition: NoData | BadQuality, gate: _Gate) -> list[Row]:
        """Wire a rule about the samples themselves: it is watched without its gate, and the gate stands before it."""
        signal = HeldTruth(f"{_key(rule)}{INNER}")
        owner = self._owner(rule, point, signal, gate)
        inner = owner._replace(key=f"{owner.key}{INNER}", is_inner=True)
        bare = condition if isinstance(condition, NoData) else condition.model_copy(update={"off_delay_s": 0.0})
        (key,) = self._join(owner, signal, gate)
        return [*rows_of(bare, inner, point), standing_row(condition, owner, key)]

    def _quantity(self, rule: Rule, point: Point, quantity: Quantity, gate: _Gate) -> list[Row]:
        condition = rule.definition.condition
        if gate is NO_GATE:
            owner = self._owner(rule, point, HeldValue(point.key), gate)
            key = self._virtual_point()
            self._cells.append(Cell(owner=owner.key, key=point.key, quantity=quantity, point=key))
            return computed_rows(condition, owner, [key])
        cell = Cell(owner=_key(rule), key=point.key, quantity=quantity, point=None)
        self._cells.append(cell)
        owner = self._owner(rule, point, HeldValue(point.key), gate)
        return computed_rows(condition, owner, self._join(owner, HeldValue(cell.source), gate))

    def _events(self, rule: Rule, point: Point, condition: EventCount, gate: _Gate) -> list[Row]:
        counter = EventCounter(
            _codes(point, condition.states),
            nanoseconds(condition.window_s),
            is_event=point.definition.kind is PointKind.EVENT,
        )
        owner = self._owner(rule, point, HeldValue(point.key), gate)
        source = f"{owner.key}/events"
        self._clockworks[source] = Clockwork(owner=owner.key, source=source, timed=counter, key=point.key)
        return computed_rows(condition, owner, self._join(owner, HeldValue(source), gate))

    def _chart(self, rule: Rule, point: Point, condition: Baseline, gate: _Gate) -> list[Row]:
        keys = [self._point(rule, name).key for name in condition.points]
        fitted = self._baselines.get(rule.id)
        if fitted is None:
            owner = self._owner(rule, point, HeldValue(point.key), gate)
            return computed_rows(condition, owner, self._join(owner, HeldValue(point.key), NOT_YET))
        chart = ChartSignal(condition, fitted, keys, operating_state(rule, self._around.points(rule.asset_id)))
        source = f"{_key(rule)}/chart"
        self._clockworks[source] = Clockwork(owner=_key(rule), source=source, timed=chart)
        signal = ChartReading(source, chart)
        owner = self._owner(rule, point, signal, gate, learned=fitted.lesson)
        return computed_rows(condition, owner, self._join(owner, signal, gate))

    def _coincidence(self, rule: Rule, condition: Coincidence) -> Joined:
        spaces: dict[str, list[Point]] = {}
        codes: set[int] = set()
        for device in self._around.devices(rule.asset_id, condition.devices):
            point = self._named(device, condition.device_point)
            space = self._around.enclosing(self._facility.assets[device].space_id, condition.within)
            if space is not None:
                spaces.setdefault(space, []).append(point)
            codes |= _codes(point, condition.states)
        return CoincidenceSignal(spaces, codes, condition.count)

    def _composite(self, rule: Rule, condition: Composite) -> Joined:
        terms = self._terms(rule, condition.expression)
        expression = parse(condition.expression, {name: _operand(term) for name, term in terms.items()})
        return CompositeSignal(expression, terms)

    def _gate(self, rule: Rule) -> _Gate:
        definition = rule.definition
        if definition.only_when is None and definition.schedule is None:
            return NO_GATE
        sources: list[Source] = []
        if definition.schedule is not None:
            sources.append(self._schedule(definition.schedule))
        state = operating_state(rule, self._around.points(rule.asset_id))
        if state is None:
            return _Gate(_is_open, tuple(sources))
        first = len(sources)

        def is_watched(values: Sequence[float]) -> bool | None:
            return False if 0.0 in values[:first] else state.holds(values[first:])

        return _Gate(is_watched, (*sources, *state.points))

    def _schedule(self, schedule: Schedule) -> Source:
        source = f"schedule {schedule.model_dump_json()}"
        if source not in self._clockworks:
            timer = ScheduleTimer(schedule, self._zone, self._calendar)
            self._clockworks[source] = Clockwork(owner=source, source=source, timed=timer)
        return source

    def _terms(self, rule: Rule, expression: str) -> dict[str, Term]:
        """Return what the names in an expression stand for; of a point and a rule with one name, the point."""
        rules = self._around.rules(rule.asset_id)
        points = self._around.points(rule.asset_id)
        terms = {name: Term(name, Stands(_key(other))) for name, other in rules.items()}
        terms |= {name: Term(name, point.key, point) for name, point in points.items()}
        return {name: terms[name] for name in names_in(expression) if name in terms}

    def _point(self, rule: Rule, name: str) -> Point:
        return self._named(rule.asset_id, name)

    def _named(self, asset_id: str, name: str) -> Point:
        points = self._around.points(asset_id)
        if name not in points:
            raise WiringError(f"{asset_id} has no point {name!r}{did_you_mean(name, points)}")
        return points[name]

    def _owner(self, rule: Rule, point: Point, signal: Joined, gate: _Gate, learned: str = "") -> Owner:
        definitions = [
            self._facility.points[source].definition
            for source in (*signal.inputs, *gate.inputs)
            if isinstance(source, int)
        ]
        meaning = [(each.unit, sorted(each.states.items())) for each in definitions]
        refers = f"{signal.inputs} {gate.inputs} {rule.definition.only_when} {meaning} {learned}"
        return Owner(
            key=_key(rule),
            fingerprint=fingerprint.of_computed(rule, point, refers),
            rule_id=rule.id,
            priority=rule.definition.priority,
            asset_id=rule.asset_id,
        )

    def _join(self, owner: Owner, signal: Joined, gate: _Gate, count: int = 1) -> list[int]:
        """Let a signal's inputs meet; return the keys of so many virtual points that carry what it says."""
        keys = [self._virtual_point() for _ in range(count)]
        self._junctions.append(
            Junction(owner=owner.key, points=tuple(keys), signal=signal, gate=gate.is_watched, gate_inputs=gate.inputs)
        )
        return keys

    def _virtual_point(self) -> int:
        self._next_key += 1
        return self._next_key - 1


@dataclass(frozen=True, slots=True)
class _Gate:
    """What stands between a rule's samples and its rows."""

    is_watched: Gate | None
    inputs: tuple[Source, ...]


NO_GATE: Final = _Gate(None, ())
NOT_YET: Final = _Gate(lambda _: False, ())
"""Of a baseline whose good period nobody has named, or that was not learned yet."""

INNER: Final = "/inner"
"""What follows the key of an owner that stands behind a gate."""


def is_computed(definition: RuleDefinition) -> bool:
    """Tell whether rules of a definition are decided on something computed."""
    is_direct = isinstance(definition.condition, DIRECT)
    return not is_direct or definition.only_when is not None or definition.schedule is not None


def wired_alike(old: Rule, new: Rule) -> bool:
    """Tell whether an edit leaves the wires as they are: limits, delays, priorities and words do not touch them."""
    if not is_computed(old.definition) and not is_computed(new.definition):
        return True
    return (old.point_key, *_wires(old.definition)) == (new.point_key, *_wires(new.definition))


def _wires(definition: RuleDefinition) -> tuple[object, ...]:
    condition = definition.condition
    decided = {"on_delay_s", "off_delay_s", "deadband"}  # by the kernel, on what was computed
    decided |= {"limits"} if isinstance(condition, Limited) else set()
    return definition.only_when, definition.schedule, condition.model_dump_json(exclude=decided)  # in its order


def set_levels(junctions: Sequence[Junction], facility: Facility) -> None:
    """Give every junction its level, so that a rule is judged after the rules that it reads.

    Raises:
        ConfigurationError: Rules read each other in a circle; names them.
    """
    by_owner = {junction.owner: junction for junction in junctions}
    reads = {
        junction.owner: {source.owner for source in junction.signal.inputs if isinstance(source, Stands)}
        for junction in junctions
    }
    try:
        order = list(TopologicalSorter(reads).static_order())
    except CycleError as error:
        raise ConfigurationError([_circle(error.args[1], facility)]) from error
    levels: dict[str, int] = {}
    for owner in order:
        levels[owner] = max((levels[each] + 1 for each in reads.get(owner, ())), default=0)
        if owner in by_owner:
            by_owner[owner].level = levels[owner]


def _circle(owners: Sequence[str], facility: Facility) -> Mistake:
    rules = [facility.rules[int(owner.removeprefix("rule:"))] for owner in reversed(owners)]
    way = " reads ".join(rule.definition.name for rule in rules)
    return Mistake(_place(rules[0]), 0, f"{way}, which is a circle; take one of these names out of its expression")


def _place(rule: Rule) -> str:
    return f"rule {rule.definition.name} of {rule.asset_id}"


def _key(rule: Rule) -> str:
    return f"rule:{rule.id}"


def _is_open(values: Sequence[float]) -> bool:
    return 0.0 not in values


def _operand(term: Term) -> Operand:
    if term.point is None:
        return Operand()
    return Operand(unit=term.point.definition.unit, states=term.point.definition.states)


def _codes(point: Point, states: Sequence[str]) -> set[int]:
    known = point.definition.states
    unknown = ", ".join(name for name in states if name not in known)
    if unknown:
        raise WiringError(f"{point.address} has no state {unknown}; write one of: {', '.join(known) or 'none'}")
    return {known[name] for name in states}
