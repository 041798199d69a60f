"""What a file with many rules would change: every difference and every mistake with its line, and nothing done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facility.errors import Mistake
from facility.model import Facility
from facility.yaml_file import Place
from rules.changes.checks import faults, read_definition, told
from rules.changes.differences import Difference, differences
from rules.changes.model import Address, Draft, Head, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a file says about one rule."""

    asset_id: str
    name: str
    definition: Mapping[str, Any] | None
    """Without its name; ``None`` switches the rule off."""
    line: Callable[[Place], int]
    """Returns the line of a place in the definition, counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file says about rules, as far as it can be read."""

    entries: Sequence[Entry]
    mistakes: Sequence[Mistake]
    unchanged: int
    """Rules that the file has exactly as they are live; they have no entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """What would become of one rule."""

    address: Address
    line: int
    point: str
    """Name of the point that it watches, or watched."""
    wanted: Wanted
    differences: Sequence[Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a file would change."""

    changes: Sequence[PlannedChange]
    mistakes: Sequence[Mistake]
    """Sorted by line; with any, nothing can be changed."""
    unchanged: int


def plan(facility: Facility, heads: Mapping[Address, Head], name: str, reading: Reading) -> Plan:
    """Hold what a file says against what is live.

    Args:
        facility: The site as it stands.
        heads: Every rule that there ever was, by asset and name.
        name: Of the file, for its mistakes.
        reading: What the file says.
    """
    mistakes = list(reading.mistakes)
    kept, unchanged = list[tuple[Entry, Draft]](), reading.unchanged
    for entry in reading.entries:
        draft = _draft(facility, heads.get((entry.asset_id, entry.name)), name, entry, mistakes)
        if draft is not None and _written(draft) == draft.before:
            unchanged += 1
        elif draft is not None:
            kept.append((entry, draft))
    for number, place, message in faults(facility, [draft for _, draft in kept]):
        entry, draft = kept[number]
        mistakes.append(Mistake(name, entry.line(place), f"{draft.address}: {told(place, message)}"))
    changes = [_planned(entry, draft) for entry, draft in kept]
    return Plan(changes=changes, mistakes=sorted(mistakes), unchanged=unchanged)


def _draft(facility: Facility, head: Head | None, file: str, entry: Entry, mistakes: list[Mistake]) -> Draft | None:
    """Return what an entry makes of its rule, or ``None`` after adding to ``mistakes``."""
    definition = None
    if entry.definition is not None:
        asset = facility.assets.get(entry.asset_id)
        equipment = None if asset is None else asset.equipment_class
        definition, findings = read_definition(equipment, entry.name, entry.definition)
        for place, message in findings:
            address = f"{entry.asset_id}/{entry.name}: "
            mistakes.append(Mistake(file, entry.line(place), address + told(place, message)))
        if definition is None:
            return None
    rule = None if head is None else facility.rules.get(head.rule_id)
    return Draft(
        rule_id=None if head is None else head.rule_id,
        asset_id=entry.asset_id,
        name=entry.name,
        base=0 if head is None else head.revision,
        before=None if rule is None else rule.definition.model_dump(mode="json"),
        definition=definition,
    )


def _written(draft: Draft) -> dict[str, Any] | None:
    return None if draft.definition is None else draft.definition.model_dump(mode="json")


def _planned(entry: Entry, draft: Draft) -> PlannedChange:
    after = _written(draft)
    definition = None if after is None else {key: value for key, value in after.items() if key != "name"}
    known = {"rule_id": draft.rule_id} if draft.rule_id else {"asset_id": draft.asset_id, "name": draft.name}
    return PlannedChange(
        address=(entry.asset_id, entry.name),
        line=entry.line(()),
        point=(after or draft.before or {}).get("point", ""),
        wanted=Wanted(**known, base=draft.base, definition=definition),
        differences=differences(draft.before, after),
    )
