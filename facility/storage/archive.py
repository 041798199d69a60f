"""What a site once had: retired spaces, assets, points and rules, for the words of old alarms and orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Row, Table, select

from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointDefinition, RuleDefinition, System
from facility.model import Asset, Facility, Point, Rule, Space
from facility.priority import PriorityMatrix
from facility.storage import tables


def load_archive(connection: SqlConnection, living: Facility, classes: Mapping[str, EquipmentClass]) -> Facility | None:
    """Return the living site with all that was ever retired from it; ``None``: nothing was.

    Points and systems are as the class had them when the site was last imported with them, so a class that is gone, or
    has lost a point, is missed by nobody.
    """
    spaces = {row.id: _space(row) for row in _retired(connection, tables.space)}
    assets = {row.id: _asset(row, classes) for row in _retired(connection, tables.asset)}
    points = {row.key: _point(row) for row in _retired(connection, tables.point)}
    rules = {row.id: _rule(row, living.priority_matrix) for row in _retired(connection, tables.rule)}
    if not (spaces or assets or points or rules):
        return None
    return replace(
        living,
        spaces={**living.spaces, **spaces},
        assets={**living.assets, **assets},
        points={**living.points, **points},
        rules={**living.rules, **rules},
    )


def _retired(connection: SqlConnection, table: Table) -> Sequence[Row[Any]]:
    return connection.execute(select(table).where(table.c.retired_ns.is_not(None)).order_by(table.c.position)).all()


def _space(row: Row[Any]) -> Space:
    return Space(id=row.id, name=LocalText.model_validate(row.name), kind=row.kind, parent=row.parent_id)


def _asset(row: Row[Any], classes: Mapping[str, EquipmentClass]) -> Asset:
    return Asset(
        id=row.id,
        name=LocalText.model_validate(row.name),
        equipment_class=classes.get(row.class_name) or _former_class(row),
        space_id=row.space_id,
        parent_id=row.parent_id,
        connection_id=row.connection_id,
        profile=row.profile,
        address=row.address,
        commands=tuple(row.commands),
    )


def _former_class(row: Row[Any]) -> EquipmentClass:
    title = LocalText(en=row.class_name, zh=row.class_name)
    return EquipmentClass(name=row.class_name, title=title, system=System(row.system), points={})


def _point(row: Row[Any]) -> Point:
    definition = PointDefinition.model_validate(row.definition)
    return Point(key=row.key, asset_id=row.asset_id, name=row.name, definition=definition)


def _rule(row: Row[Any], matrix: PriorityMatrix) -> Rule:
    definition = RuleDefinition.model_validate(row.definition).under(matrix)
    return Rule(id=row.id, asset_id=row.asset_id, point_key=row.point_key, definition=definition)
