"""What must hold of a changed rule: the same as in class and site files, held against the asset as it is."""

from __future__ import annotations

import pickle
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from facility.class_checks import check_rule
from facility.condition_checks import check_devices
from facility.conditions import Coincidence
from facility.equipment import EquipmentClass, RuleDefinition
from facility.errors import ConfigurationError, Mistake
from facility.grammar import Finding, check
from facility.measures import in_units
from facility.model import Asset, Facility
from facility.yaml_file import Place, did_you_mean
from rules.changes.model import Draft

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""Names of rules: expressions refer to them."""


class Fault(NamedTuple):
    """Something wrong with one of several drafts."""

    number: int
    """Which draft."""
    place: Place
    """Below its definition."""
    message: str
    """What is wrong and what to write instead."""


class Definitions:
    """Reads definitions that somebody wrote; those that are alike, as of a thousand pumps of a class, only once."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str, bytes], tuple[RuleDefinition | None, list[Finding]]] = {}

    def read(
        self, equipment: EquipmentClass | None, name: str, data: Mapping[str, Any]
    ) -> tuple[RuleDefinition | None, list[Finding]]:
        """Return the definition that somebody wrote without its name, or what is wrong with how it is written.

        Args:
            equipment: Of the rule's asset: numbers may be texts with another unit than the point's; ``None``: there is
                no such asset, which is told elsewhere.
            name: Of the rule.
            data: What was written.
        """
        key = ("" if equipment is None else equipment.name, name, pickle.dumps(data))
        if key not in self._read:
            self._read[key] = _read(equipment, name, data)
        return self._read[key]


def _read(
    equipment: EquipmentClass | None, name: str, data: Mapping[str, Any]
) -> tuple[RuleDefinition | None, list[Finding]]:
    if "name" in data:
        return None, [(("name",), f"the name is {name!r} already; leave 'name' out")]
    condition = data.get("condition")
    point = equipment.points.get(str(data.get("point"))) if equipment is not None else None
    if point is not None and isinstance(condition, dict):
        measured, findings = in_units(condition, point.unit)
        if findings:
            return None, [(("condition", *place), message) for place, message in findings]
        data = {**data, "condition": measured}
    return check(RuleDefinition, {"name": name, **data})


def faults(facility: Facility, drafts: Sequence[Draft]) -> Iterator[Fault]:
    """Yield everything that does not fit the assets of the drafts, as their rules would be afterwards."""
    by_asset: defaultdict[str, list[int]] = defaultdict(list)
    for number, draft in enumerate(drafts):
        by_asset[draft.asset_id].append(number)
    living = _living(facility, by_asset.keys())
    classes = {asset.equipment_class.name: asset.equipment_class for asset in facility.assets.values()}
    for asset_id, numbers in by_asset.items():
        asset = facility.assets.get(asset_id)
        if asset is None:
            hint = did_you_mean(asset_id, facility.assets)
            yield from (Fault(number, (), f"there is no asset {asset_id!r}{hint}") for number in numbers)
        else:
            yield from _asset_faults(asset, living[asset_id], {number: drafts[number] for number in numbers}, classes)


def refuse(faults: Iterable[Fault], addresses: Sequence[str]) -> None:
    """Raise what is wrong with drafts.

    Raises:
        ConfigurationError: Lists every fault at the address of its rule.
    """
    mistakes = [Mistake(addresses[number], 0, told(place, message)) for number, place, message in faults]
    if mistakes:
        raise ConfigurationError(mistakes)


def told(place: Place, message: str) -> str:
    """Return a message that names its place in a definition."""
    return f"{'.'.join(map(str, place))}: {message}" if place else message


def _living(facility: Facility, asset_ids: Iterable[str]) -> dict[str, dict[str, RuleDefinition]]:
    found: dict[str, dict[str, RuleDefinition]] = {asset_id: {} for asset_id in asset_ids}
    for rule in facility.rules.values():
        if rule.asset_id in found:
            found[rule.asset_id][rule.definition.name] = rule.definition
    return found


def _asset_faults(
    asset: Asset,
    living: Mapping[str, RuleDefinition],
    drafts: Mapping[int, Draft],
    classes: Mapping[str, EquipmentClass],
) -> Iterator[Fault]:
    after = {**living, **{draft.name: draft.definition for draft in drafts.values()}}
    rules = {name: definition for name, definition in after.items() if definition is not None}
    equipment = asset.equipment_class.model_copy(update={"rules": rules})
    for number, draft in drafts.items():
        yield from (Fault(number, *finding) for finding in _draft_findings(asset, equipment, draft))
        yield from (Fault(number, *finding) for finding in _device_findings(living.get(draft.name), draft, classes))
    changed = {draft.name for draft in drafts.values()}
    first = next(iter(drafts))
    for name in rules.keys() - changed:  # which may refer to what is changed
        for _, message in check_rule(equipment, rules[name]):
            yield Fault(first, (), f"then {asset.id}/{name} does not hold any more: {message}")


def _draft_findings(asset: Asset, equipment: EquipmentClass, draft: Draft) -> Iterator[Finding]:
    definition = draft.definition
    if definition is None:
        return
    if draft.rule_id is None and not NAME.fullmatch(draft.name):
        yield (), f"{draft.name!r} is no name of a rule; use up to 64 small letters, digits and _, a letter first"
    if definition.life_safety and definition.point in asset.commands:
        yield (
            ("life_safety",),
            f"people may command {definition.point}; take it out of the asset's 'commands' in the site file first",
        )
    yield from check_rule(equipment, definition)


def _device_findings(
    live: RuleDefinition | None, draft: Draft, classes: Mapping[str, EquipmentClass]
) -> Iterator[Finding]:
    """Yield what is wrong with the devices of a coincidence; ``classes`` are those that the site has devices of.

    A class file may name devices that this site lacks: then nobody has to mend that to change something else.
    """
    if draft.definition is None or (live is not None and _devices(live) == _devices(draft.definition)):
        return
    yield from check_devices(draft.definition, classes)


def _devices(definition: RuleDefinition) -> tuple[str, str, list[str]] | None:
    condition = definition.condition
    if not isinstance(condition, Coincidence):
        return None
    return condition.devices, condition.device_point, condition.states
