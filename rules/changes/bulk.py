"""What a file with many rules would change: every difference and every mistake with its line, and nothing done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from facility.errors import Mistake
from facility.model import Facility
from facility.yaml_file import Place
from rules.changes.checks import Definitions, faults, told
from rules.changes.differences import Difference, differences
from rules.changes.model import Address, Draft, Head


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
    draft: Draft
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
    planning = _Planning(facility, heads, name, list(reading.mistakes))
    changes = [change for entry in reading.entries if (change := planning.change(entry)) is not None]
    for number, place, message in faults(facility, [each.draft for each in changes]):
        line, draft = reading.entries[planning.kept[number]].line(place), changes[number].draft
        planning.mistakes.append(Mistake(name, line, f"{draft.address}: {told(place, message)}"))
    return Plan(
        changes=changes,
        mistakes=sorted(planning.mistakes),
        unchanged=reading.unchanged + planning.unchanged,
    )


@dataclass(slots=True)
class _Planning:
    """One file being held against what is live."""

    facility: Facility
    heads: Mapping[Address, Head]
    name: str
    mistakes: list[Mistake]
    definitions: Definitions = field(default_factory=Definitions)
    taken: int = 0
    kept: list[int] = field(default_factory=list)
    """Places of the entries that change something."""
    unchanged: int = 0

    def change(self, entry: Entry) -> PlannedChange | None:
        """Return what an entry would change; ``None``: nothing, or a mistake was added."""
        self.taken += 1
        draft = self._draft(entry)
        if draft is None:
            return None
        after = None if draft.definition is None else draft.definition.model_dump(mode="json")
        if after == draft.before:
            self.unchanged += 1
            return None
        self.kept.append(self.taken - 1)
        return PlannedChange(
            address=(entry.asset_id, entry.name),
            line=entry.line(()),
            point=(after or draft.before or {}).get("point", ""),
            draft=draft,
            differences=differences(draft.before, after),
        )

    def _draft(self, entry: Entry) -> Draft | None:
        definition = None
        if entry.definition is not None:
            asset = self.facility.assets.get(entry.asset_id)
            equipment = None if asset is None else asset.equipment_class
            definition, findings = self.definitions.read(equipment, entry.name, entry.definition)
            for place, message in findings:
                told_at = f"{entry.asset_id}/{entry.name}: {told(place, message)}"
                self.mistakes.append(Mistake(self.name, entry.line(place), told_at))
            if definition is None:
                return None
        head = self.heads.get((entry.asset_id, entry.name))
        rule = None if head is None else self.facility.rules.get(head.rule_id)
        return Draft(
            rule_id=None if head is None else head.rule_id,
            asset_id=entry.asset_id,
            name=entry.name,
            base=0 if head is None else head.revision,
            before=None if rule is None else rule.definition.model_dump(mode="json"),
            definition=definition,
        )
