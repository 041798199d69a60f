"""What stands around a rule: the points and rules of its asset, its devices, and the spaces they are in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from facility.model import Facility, Point, Rule


class Surroundings:
    """A facility, looked up by name; each question is answered from a table that is made once."""

    def __init__(self, facility: Facility) -> None:
        self.facility = facility
        self._points: dict[str, dict[str, Point]] = {}

    def points(self, asset_id: str) -> dict[str, Point]:
        """Return an asset's points by name."""
        if asset_id not in self._points:
            self._points[asset_id] = {point.name: point for point in self.facility.points_of(asset_id)}
        return self._points[asset_id]

    def rules(self, asset_id: str) -> dict[str, Rule]:
        """Return an asset's rules by name."""
        return self._rules.get(asset_id, {})

    def devices(self, asset_id: str, class_name: str) -> Iterator[str]:
        """Return the ids of the assets of a class that belong to an asset, in the order of the site."""
        for child in self._children.get(asset_id, ()):
            if self.facility.assets[child].equipment_class.name == class_name:
                yield child

    def enclosing(self, space_id: str, kind: str) -> str | None:
        """Return the nearest space of a kind that a space is, or lies in; ``None``: there is none."""
        seen: set[str] = set()
        at: str | None = space_id
        while at is not None and at not in seen:  # a circle is a mistake of the file, which is told elsewhere
            seen.add(at)
            space = self.facility.spaces.get(at)
            if space is None or space.kind == kind:
                return None if space is None else at
            at = space.parent
        return None

    @cached_property
    def _rules(self) -> dict[str, dict[str, Rule]]:
        found: dict[str, dict[str, Rule]] = {}
        for rule in self.facility.rules.values():
            found.setdefault(rule.asset_id, {})[rule.definition.name] = rule
        return found

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for asset in self.facility.assets.values():
            if asset.parent_id is not None:
                found.setdefault(asset.parent_id, []).append(asset.id)
        return found
