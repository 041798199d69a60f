"""Detectors' measurements by their numbers: a panel often keeps them a constant number of objects from the state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from facility.equipment import EquipmentClass
from gateway.onboarding.found import FoundPoint
from gateway.onboarding.found_asset import FoundAsset, Member, Unmapped
from gateway.onboarding.readings import Reader, Reading

DETECTOR = "smoke-detector"


class Paired(NamedTuple):
    """Assets and leftovers after pairing."""

    assets: Sequence[FoundAsset]
    unmapped: Sequence[Unmapped]


def paired_by_instance(
    assets: Sequence[FoundAsset],
    unmapped: Sequence[Unmapped],
    classes: Mapping[str, EquipmentClass],
    reader: Reader,
) -> Paired:
    """Give detectors the measurements that stand a constant number of objects further, whatever they are called."""
    paired = Paired(assets, unmapped)
    for point, definition in classes[DETECTOR].points.items():
        if not definition.unit:
            continue
        readings = {
            place: reading
            for place, left in enumerate(paired.unmapped)
            if left.found.unit and (reading := reader.reading(DETECTOR, point, definition, left.found)) is not None
        }
        paired = _paired(paired, point, readings)
    return paired


def _paired(before: Paired, point: str, readings: Mapping[int, Reading]) -> Paired:
    """Give a point to those detectors that lack it, where one offset of instances serves most of them."""
    lacking = {
        number: place
        for place, asset in enumerate(before.assets)
        if asset.equipment_class == DETECTOR and point not in asset.members and (number := _anchor(asset)) is not None
    }
    instances = {
        place: instance for place in readings if (instance := _instance_of(before.unmapped[place].found)) is not None
    }
    offset = _usual_offset(list(instances.values()), list(lacking))
    if offset is None:
        return before
    assets = list(before.assets)
    used: set[int] = set()
    for place, instance in instances.items():
        owner = lacking.pop(instance - offset, None)
        if owner is not None:
            member = Member(found=before.unmapped[place].found, reading=readings[place])
            assets[owner] = _with(assets[owner], point, member, offset)
            used.add(place)
    return Paired(assets, [left for place, left in enumerate(before.unmapped) if place not in used])


def _usual_offset(instances: Sequence[int], anchors: Sequence[int]) -> int | None:
    """Return the distance that serves more than half of the anchors; ``None`` where none does."""
    offsets = Counter(instance - anchor for instance in instances for anchor in anchors)
    if not offsets:
        return None
    offset, count = min(offsets.items(), key=lambda item: (-item[1], abs(item[0])))
    return offset if 2 * count > len(anchors) else None


def _with(asset: FoundAsset, point: str, member: Member, offset: int) -> FoundAsset:
    note = f"{point} is {member.found.origin}: its instance is the state's {offset:+d}, as for most of its neighbours"
    return replace(asset, members={**asset.members, point: member}, notes=(*asset.notes, note))


def _anchor(asset: FoundAsset) -> int | None:
    state = asset.members.get("state")
    return _instance_of(state.found) if state else None


def _instance_of(found: FoundPoint) -> int | None:
    """Return the instance of a BACnet object; ``None`` for anything else."""
    _, comma, instance = str(found.entry.get("object", "")).partition(",")
    return int(instance) if comma and instance.isdecimal() else None
