"""Which points a rule reads: its own, and all that its condition and its gate refer to."""

from __future__ import annotations

from collections.abc import Iterator

from facility.conditions import DIRECT, Baseline, Coincidence, Composite, Deviation, MovingThreshold
from facility.equipment import RuleDefinition
from facility.expression import names_in
from facility.model import Facility, Rule
from facility.surroundings import Surroundings


def names_read(rule: RuleDefinition) -> frozenset[str]:
    """Return the names that a rule reads on its own asset: of points, and in a composite also of rules."""
    gate = names_in(rule.only_when) if rule.only_when is not None else frozenset()
    return frozenset({rule.point, *_names_of(rule), *gate})


def _names_of(rule: RuleDefinition) -> Iterator[str]:
    match rule.condition:
        case Deviation(reference=name):
            yield name
        case MovingThreshold(limits=limits):
            yield from (limit.point for limit in limits.values())
        case Composite(expression=text):
            yield from names_in(text)
        case Baseline(points=names):
            yield from names


class RuleInputs:
    """A facility's rules, asked for their points; what many answers need is looked up once."""

    def __init__(self, facility: Facility) -> None:
        self._facility = facility
        self._around = Surroundings(facility)

    def of(self, rule: Rule) -> frozenset[int]:
        """Return the keys of the points that a rule reads, also through the rules that it reads."""
        definition = rule.definition
        if definition.only_when is None and isinstance(definition.condition, DIRECT):  # as nearly all are
            return frozenset((rule.point_key,))
        return frozenset(self._of(rule, set()))

    def by_point(self) -> dict[int, list[RuleDefinition]]:
        """Return by point the rules that read it."""
        found: dict[int, list[RuleDefinition]] = {}
        for rule in self._facility.rules.values():
            for key in self.of(rule):
                found.setdefault(key, []).append(rule.definition)
        return found

    def of_life_safety(self) -> frozenset[int]:
        """Return the keys of the points that rules of life safety read."""
        rules = (rule for rule in self._facility.rules.values() if rule.definition.life_safety)
        return frozenset(key for rule in rules for key in self.of(rule))

    def _of(self, rule: Rule, seen: set[int]) -> Iterator[int]:
        seen.add(rule.id)
        yield rule.point_key
        names = names_read(rule.definition)
        if len(names) > 1:
            yield from (point.key for point in self._facility.points_of(rule.asset_id) if point.name in names)
        if isinstance(rule.definition.condition, Composite):
            for name, other in self._around.rules(rule.asset_id).items():
                if name in names and other.id not in seen:
                    yield from self._of(other, seen)
        if isinstance(rule.definition.condition, Coincidence):
            yield from self._devices(rule.asset_id, rule.definition.condition)

    def _devices(self, asset_id: str, condition: Coincidence) -> Iterator[int]:
        for device in self._around.devices(asset_id, condition.devices):
            points = self._facility.points_of(device)
            yield from (point.key for point in points if point.name == condition.device_point)
