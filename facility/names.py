"""Names made of ids, for what a site file does not name."""

from __future__ import annotations

import re

from facility.definition import LocalText
from facility.equipment import EquipmentClass

_SPACE_WORDS = {"building": "号楼", "floor": "层", "zone": "区", "room": "室"}
_NUMBER = re.compile(r"\d+$")


def asset_name(asset_id: str, equipment: EquipmentClass) -> LocalText:
    """Return ``Lift 1`` and ``电梯 1`` for ``lift-1``."""
    number = _NUMBER.search(asset_id)
    return LocalText(en=_words(asset_id), zh=f"{equipment.title.zh} {number[0]}" if number else _words(asset_id))


def space_name(space_id: str, kind: str) -> LocalText:
    """Return ``Floor 3`` and ``3 层`` for ``floor-3``."""
    number = _NUMBER.search(space_id)
    return LocalText(en=_words(space_id), zh=f"{number[0]} {_SPACE_WORDS[kind]}" if number else _words(space_id))


def _words(name: str) -> str:
    text = re.sub(r"[-_.]+", " ", name)
    return text[:1].upper() + text[1:]
