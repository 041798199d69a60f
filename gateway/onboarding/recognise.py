"""Which of the found points are a pump's, a detector's, a panel's: guesses, each with its reason.

A guess is made from three things: what the device is called, what its points are called, and whether unit and kind of
each fit the class. Whatever fits nothing is left for a person, with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from facility.equipment import EquipmentClass
from gateway.onboarding.found import FoundConnection, FoundPoint, Shape
from gateway.onboarding.found_asset import FoundAsset, Member, Recognised, Unmapped
from gateway.onboarding.names import split_name
from gateway.onboarding.pairing import paired_by_instance
from gateway.onboarding.readings import Reader, Reading
from gateway.onboarding.vocabulary import Vocabulary

MANY: Final = 3
"""Points that make a class likely although nothing calls the device by it."""

_NAME, _DESCRIPTION, _UNIT = 8, 2, 1
"""What a word in the name, a word in the description and a fitting unit weigh."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A found point within its group."""

    found: FoundPoint
    text: str
    """What of its name says what it measures; empty where nothing does."""


class Recogniser:
    """Guesses with the words and the classes of this installation."""

    def __init__(
        self,
        classes: Mapping[str, EquipmentClass],
        words: Vocabulary,
        reader: Reader,
        only_class: str | None = None,
    ) -> None:
        """Take what guesses are made with; a person who says the class leaves nothing of it to guess."""
        self._words = words
        self._reader = reader
        self._said = only_class
        self._all = classes
        self._classes = {name: classes[name] for name in words.classes if only_class in {None, name}}

    def recognise(self, connection: FoundConnection) -> Recognised:
        """Return the assets that the points of a connection belong to, and the points that are left over."""
        assets: list[FoundAsset] = []
        unmapped: list[Unmapped] = []
        for device, leaves in self._groups(connection.points).items():
            asset, left = self._asset(device, connection.label, leaves)
            assets += [asset] if asset else []
            unmapped += left
        assets = _panels_as_one(assets)
        paired = paired_by_instance(assets, unmapped, self._all, self._reader)
        return Recognised(connection=connection, assets=tuple(paired.assets), unmapped=tuple(paired.unmapped))

    def _groups(self, points: Iterable[FoundPoint]) -> dict[str, list[_Leaf]]:
        groups: defaultdict[str, list[_Leaf]] = defaultdict(list)
        for found in points:
            device, leaf = (found.group, found.name) if found.group else split_name(found.name, self._words)
            groups[device].append(_Leaf(found, leaf))
        return dict(groups)

    def _asset(self, device: str, label: str, leaves: Sequence[_Leaf]) -> tuple[FoundAsset | None, list[Unmapped]]:
        """Return the likeliest asset of one group, and what of the group it does not use."""
        name = device or label
        guesses = [guess for each in self._classes if (guess := self._guess(each, name, leaves)) is not None]
        if not guesses:
            return None, [Unmapped(leaf.found, self._why_not(leaf, name)) for leaf in leaves]
        _, asset = max(guesses, key=lambda guess: guess[0])
        used = {id(member.found) for member in asset.members.values()}
        reason = f"no point of a {asset.equipment_class} that nothing else stands for fits it"
        return asset, [Unmapped(leaf.found, reason) for leaf in leaves if id(leaf.found) not in used]

    def _guess(
        self, equipment_class: str, name: str, leaves: Sequence[_Leaf]
    ) -> tuple[tuple[int, int], FoundAsset] | None:
        """Return how likely a group is of a class, and the asset it would be; ``None`` for not at all."""
        named = self._words.class_fit(equipment_class, name)
        described = max(self._words.class_fit(equipment_class, leaf.found.description) for leaf in leaves)
        hinted = any(leaf.found.hint == equipment_class for leaf in leaves)
        members = self._members(equipment_class, leaves)
        is_many = len(members) >= MANY and 2 * len(members) >= len(leaves)
        if not members or not (named or described or hinted or is_many or self._said):
            return None
        evidence = ["you said so"] if self._said else []
        evidence += [f"its name says {equipment_class}"] if named else []
        evidence += [f"a description says {equipment_class}"] if described and not named else []
        evidence += ["the kind of its objects says so"] if hinted else []
        evidence += [f"{len(members)} of {len(leaves)} points fit"]
        asset = FoundAsset(name=name, equipment_class=equipment_class, members=members, reason=", ".join(evidence))
        return (3 * named + 2 * described + hinted + len(members), len(members)), asset

    def _members(self, equipment_class: str, leaves: Sequence[_Leaf]) -> dict[str, Member]:
        """Return the best point of a class for each found point; each is used once, the surest first."""
        fits = sorted(
            (
                (-score, order, point, leaf, reading)
                for order, leaf in enumerate(leaves)
                for point, definition in self._classes[equipment_class].points.items()
                if (reading := self._reader.reading(equipment_class, point, definition, leaf.found)) is not None
                if (score := self._score(equipment_class, point, leaf, reading))
            ),
            key=lambda fit: fit[:3],
        )
        members: dict[str, Member] = {}
        used: set[int] = set()
        for _, order, point, leaf, reading in fits:
            if point not in members and order not in used:
                members[point] = Member(found=leaf.found, reading=reading)
                used.add(order)
        return {point: members[point] for point in self._classes[equipment_class].points if point in members}

    def _score(self, equipment_class: str, point: str, leaf: _Leaf, reading: Reading) -> int:
        words = _NAME * self._words.point_fit(equipment_class, point, leaf.text) if leaf.text else 0
        if not leaf.text:
            words = _DESCRIPTION * self._words.point_fit(equipment_class, point, leaf.found.description)
            words += _UNIT if self._words.main.get(equipment_class) == point else 0
        if leaf.found.hint == equipment_class and not words and reading.is_life_safety:
            words = _UNIT
        return words + (_UNIT if words and reading.has_unit else 0)

    def _why_not(self, leaf: _Leaf, name: str) -> str:
        if leaf.found.shape is Shape.OTHER:
            return "an object of this kind holds no point"
        if leaf.text and self._words.explained(leaf.text):
            return f"nothing says what kind of equipment {name!r} is"
        return "its name means nothing to Watchkeeper"


def _panels_as_one(assets: Sequence[FoundAsset]) -> list[FoundAsset]:
    """Return the assets with those panels made one that share no point: a panel's objects seldom share a name."""
    merged: list[FoundAsset] = []
    for asset in assets:
        fitting = next(
            (
                place
                for place, other in enumerate(merged)
                if asset.equipment_class == other.equipment_class == "fire-panel"
                and not asset.members.keys() & other.members.keys()
            ),
            None,
        )
        if fitting is None:
            merged.append(asset)
        else:
            first = merged[fitting]
            merged[fitting] = replace(first, members={**first.members, **asset.members})
    return merged
