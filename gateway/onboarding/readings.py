"""How a found value would become a class's point: in which unit, with which states; or that it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from facility.equipment import PointDefinition, PointKind
from facility.errors import UnitError
from facility.units import conversion
from gateway.onboarding.found import FoundPoint, Shape
from gateway.onboarding.vocabulary import Vocabulary

QUANTITIES: Final = frozenset({PointKind.ANALOG, PointKind.COUNTER})
LIFE_SAFETY_ALARM: Final = "alarm"
"""The state of a class's fire device that a contact-like point takes as active."""

_FREQUENCY: Final = frozenset({"Hz", "kHz", "hertz"})

LifeSafetyStates = Mapping[tuple[str, str], Mapping[str, str]]
"""Class and point to what each of the standard's life-safety states means for it, as shipped profiles say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The conversion keys of a profile's entry."""

    keys: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    """What was assumed; empty where the source said everything."""
    has_unit: bool = False
    """The source said a unit, and it fits."""
    is_life_safety: bool = False


class Reader:
    """Finds readings with the words of this installation and the tables of its shipped profiles."""

    def __init__(self, words: Vocabulary, life_safety: LifeSafetyStates) -> None:
        self._words = words
        self._life_safety = life_safety

    def reading(
        self, equipment_class: str, point: str, definition: PointDefinition, found: FoundPoint
    ) -> Reading | None:
        """Return how the found value becomes a point; ``None`` where it does not."""
        if found.shape is Shape.OTHER or definition.kind is PointKind.EVENT:
            return None
        if definition.kind in QUANTITIES:
            return _quantity(definition, found)
        if found.shape is Shape.LIFE_SAFETY:
            return self._of_life_safety(equipment_class, point, definition)
        if found.shape is Shape.CONTACT:
            return self._contact(f"{equipment_class}/{point}", definition, found)
        return self._states(definition, found) if found.shape is not Shape.QUANTITY else None

    def _of_life_safety(self, equipment_class: str, point: str, definition: PointDefinition) -> Reading | None:
        table = self._life_safety.get((equipment_class, point))
        if table is not None:
            return Reading(keys={"states": dict(table)}, is_life_safety=True)
        any_table = next(iter(self._life_safety.values()), None)
        if definition.kind is not PointKind.BINARY or any_table is None:
            return None
        rest, active = _rest_and_active(definition)
        states = {wire: active if state == LIFE_SAFETY_ALARM else rest for wire, state in any_table.items()}
        return Reading(keys={"states": states}, is_life_safety=True, note=f"only alarm states count as {active}")

    def _contact(self, place: str, definition: PointDefinition, found: FoundPoint) -> Reading | None:
        if definition.kind is PointKind.BINARY:
            rest, active = _rest_and_active(definition)
        elif place in self._words.contacts:
            rest, active = self._words.contacts[place]
        else:
            return None
        if not found.states:
            keys = {} if definition.kind is PointKind.BINARY else {"states": {0: rest, 1: active}}
            return Reading(keys=keys)
        (at_rest, rest_text), (when_active, active_text) = list(found.states.items())[:2]
        said = [self._words.state(text, (rest, active)) for text in (rest_text, active_text)]
        if said == [active, rest]:
            note = f"its texts ({rest_text!r}, {active_text!r}) turn it round"
            return Reading(keys={"states": {at_rest: active, when_active: rest}}, note=note)
        return Reading(keys={"states": {at_rest: rest, when_active: active}})

    def _states(self, definition: PointDefinition, found: FoundPoint) -> Reading | None:
        if not found.states:
            return Reading(note="the source says no texts, so the class's own codes are taken: compare them")
        meant = {wire: self._words.state(text, definition.states) for wire, text in found.states.items()}
        known = {wire: state for wire, state in meant.items() if state is not None}
        if not known or (len(set(known.values())) == 1 and len(found.states) > 1):
            return None
        strange = [f"{wire} ({found.states[wire]})" for wire, state in meant.items() if state is None]
        note = f"no state of the class fits {', '.join(strange)}: such a value will be bad" if strange else ""
        keys = {} if all(wire == state for wire, state in known.items()) and not strange else {"states": known}
        return Reading(keys=keys, note=note)


def _quantity(definition: PointDefinition, found: FoundPoint) -> Reading | None:
    if found.shape not in {Shape.QUANTITY, None}:
        return None
    if not found.unit:
        if found.unit_said:
            return None
        note = f"the source says no unit: taken as {definition.unit}" if definition.unit else ""
        return Reading(note=note)
    if (found.unit in _FREQUENCY) != (definition.unit in _FREQUENCY):
        return None  # for arithmetic a hertz is also a speed, but a drive's output frequency is none
    try:
        conversion(found.unit, definition.unit)
    except UnitError:
        return None
    return Reading(keys={} if found.unit == definition.unit else {"unit": found.unit}, has_unit=True)


def _rest_and_active(definition: PointDefinition) -> tuple[str, str]:
    rest, active = sorted(definition.states, key=lambda state: definition.states[state])[:2]
    return rest, active
