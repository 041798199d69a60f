"""Reads the facility from the database, and takes the events of its devices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Table, Text, cast, select
from sqlalchemy import Connection as SqlConnection
from sqlalchemy.dialects import postgresql, sqlite

from facility.connections import resolved_connection
from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointKind, RuleDefinition
from facility.errors import ConfigurationError, Mistake, NotFoundError
from facility.garbage import collector_at_rest
from facility.holidays import Holidays
from facility.model import (
    Asset,
    Connection,
    Facility,
    Point,
    Protocol,
    Rule,
    SiteDescription,
    Space,
    WrittenConnection,
)
from facility.priority import PriorityMatrix, read_matrix
from facility.storage import tables
from facility.storage.archive import load_archive
from facility.storage.site_import import import_site
from facility.yaml_file import did_you_mean

__all__ = [
    "DeviceEventRow",
    "import_site",
    "keys_of_kind",
    "load_description",
    "load_facility",
    "save_device_events",
    "written_connections",
]

_PLACE = "database"
"""Named in mistakes instead of a file."""


class DeviceEventRow(NamedTuple):
    """Something that happened at a device, as it is kept."""

    point_key: int
    event_id: str
    """The device's own identity of the event."""
    source_time_ns: int
    gateway_time_ns: int
    code: int
    text: Mapping[str, str]
    """What a number cannot carry, such as a badge."""


@collector_at_rest()
def load_facility(
    connection: SqlConnection, classes: Mapping[str, EquipmentClass], environment: Mapping[str, str]
) -> Facility:
    """Return the site that the database holds, in the order of its file, with its archive.

    Args:
        connection: Where to read.
        classes: The classes that its assets name.
        environment: Variables that its connections refer to.

    Raises:
        NotFoundError: No site was ever imported.
        ConfigurationError: A class, point or variable that the site needs is missing; lists all.
    """
    site = _site_row(connection)
    mistakes: list[Mistake] = []
    connections = _connections(connection, environment, mistakes)
    assets = _assets(connection, classes, mistakes)
    points = _points(connection, assets, mistakes)
    matrix = read_matrix(site.priority_matrix)
    rules = _rules(connection, points, matrix)
    if mistakes:
        raise ConfigurationError(mistakes)
    living = Facility(
        site_id=site.id,
        name=LocalText.model_validate(site.name),
        time_zone=site.time_zone,
        spaces=_spaces(connection),
        connections=connections,
        assets=assets,
        points=points,
        rules=rules,
        priority_matrix=matrix,
        holidays=Holidays.model_validate(site.holidays),
    )
    return replace(living, archive=load_archive(connection, living, classes))


def load_description(
    connection: SqlConnection, classes: Mapping[str, EquipmentClass], environment: Mapping[str, str]
) -> SiteDescription:
    """Return the site as :func:`facility.site_export.write_site` takes it; see :func:`load_facility`."""
    facility = load_facility(connection, classes, environment)
    rules: dict[str, dict[str, RuleDefinition]] = {asset_id: {} for asset_id in facility.assets}
    for rule in facility.rules.values():
        rules[rule.asset_id][rule.definition.name] = rule.definition
    return SiteDescription(
        site_id=facility.site_id,
        name=facility.name,
        time_zone=facility.time_zone,
        spaces=facility.spaces,
        connections=facility.connections,
        assets=facility.assets,
        rules=rules,
        written_connections=written_connections(connection),
        priority_matrix=facility.priority_matrix,
        holidays=facility.holidays,
    )


def written_connections(connection: SqlConnection) -> dict[str, WrittenConnection]:
    """Return the site's connections as people wrote them, by id."""
    return {row.id: _written(row) for row in _living(connection, tables.connection)}


def keys_of_kind(connection: SqlConnection, kind: PointKind) -> set[int]:
    """Return the keys of all points of a kind that the site ever had."""
    rows = connection.execute(select(tables.point.c.key, tables.point.c.definition))
    return {row.key for row in rows if row.definition["kind"] == kind}


def save_device_events(connection: SqlConnection, events: Sequence[DeviceEventRow]) -> None:
    """Keep events in the caller's transaction; one that is kept already is ignored."""
    if not events:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(tables.device_event).on_conflict_do_nothing(index_elements=["point_key", "event_id"])
    rows = [{**event._asdict(), "event_id": _storable(event.event_id), "text": dict(event.text)} for event in events]
    connection.execute(statement, rows)


def _storable(event_id: str) -> str:
    """Return an identity that fits its column: what a device sends too long, or with a NUL, is known by its digest."""
    fits = len(event_id) <= tables.EVENT_ID_LENGTH and "\0" not in event_id
    return event_id if fits else hashlib.sha256(event_id.encode()).hexdigest()


def _site_row(connection: SqlConnection) -> Row[Any]:
    row = connection.execute(select(tables.site)).one_or_none()
    if row is None:
        raise NotFoundError("The database holds no site yet. Import one: watchkeeper serve --site site.yaml")
    return row


def _living(connection: SqlConnection, table: Table) -> Sequence[Row[Any]]:
    return connection.execute(select(table).where(table.c.retired_ns.is_(None)).order_by(table.c.position)).all()


def _spaces(connection: SqlConnection) -> dict[str, Space]:
    return {
        row.id: Space(id=row.id, name=LocalText.model_validate(row.name), kind=row.kind, parent=row.parent_id)
        for row in _living(connection, tables.space)
    }


def _written(row: Row[Any]) -> WrittenConnection:
    return WrittenConnection(host=row.host, port=row.port, options=row.options)


def _connections(
    connection: SqlConnection, environment: Mapping[str, str], mistakes: list[Mistake]
) -> dict[str, Connection]:
    found: dict[str, Connection] = {}
    for row in _living(connection, tables.connection):
        found[row.id], findings = resolved_connection(row.id, Protocol(row.protocol), _written(row), environment)
        mistakes += [
            Mistake(_PLACE, 0, f"connection {row.id}, {'.'.join(map(str, place))}: {text}") for place, text in findings
        ]
    return found


def _assets(
    connection: SqlConnection, classes: Mapping[str, EquipmentClass], mistakes: list[Mistake]
) -> dict[str, Asset]:
    found: dict[str, Asset] = {}
    for row in _living(connection, tables.asset):
        if row.class_name in classes:
            found[row.id] = _asset(row, classes[row.class_name])
        else:
            hint = did_you_mean(row.class_name, classes)
            mistakes.append(Mistake(_PLACE, 0, f"asset {row.id}: there is no class {row.class_name!r}{hint}"))
    return found


def _asset(row: Row[Any], equipment: EquipmentClass) -> Asset:
    return Asset(
        id=row.id,
        name=LocalText.model_validate(row.name),
        equipment_class=equipment,
        space_id=row.space_id,
        parent_id=row.parent_id,
        connection_id=row.connection_id,
        profile=row.profile,
        address=row.address,
        commands=tuple(row.commands),
    )


def _points(connection: SqlConnection, assets: Mapping[str, Asset], mistakes: list[Mistake]) -> dict[int, Point]:
    point = tables.point.c
    found: dict[int, Point] = {}
    for key, asset_id, name in _of_assets(connection, tables.point, [point.key, point.asset_id, point.name]):
        definitions = assets[asset_id].equipment_class.points if asset_id in assets else {}
        if name in definitions:
            found[key] = Point(key=key, asset_id=asset_id, name=name, definition=definitions[name])
        elif asset_id in assets:
            message = f"asset {asset_id}: its class has lost the point {name!r}; import the site again"
            mistakes.append(Mistake(_PLACE, 0, message))
    return found


def _rules(connection: SqlConnection, points: Mapping[int, Point], matrix: PriorityMatrix) -> dict[int, Rule]:
    rule = tables.rule.c
    columns = [rule.id, rule.asset_id, rule.point_key, cast(rule.definition, Text)]

    @cache
    def read(definition: str) -> RuleDefinition:
        """Many assets of a class have the same rule, which is then checked, and kept, once."""
        return RuleDefinition.model_validate_json(definition).under(matrix)

    return {
        rule_id: Rule(id=rule_id, asset_id=asset_id, point_key=point_key, definition=read(definition))
        for rule_id, asset_id, point_key, definition in _of_assets(connection, tables.rule, columns)
        if point_key in points
    }


def _of_assets(connection: SqlConnection, table: Table, columns: Sequence[ColumnElement[Any]]) -> Iterable[Any]:
    """Return columns of living points or rules of living assets: by asset, then in the order of the class."""
    statement = (
        select(*columns)
        .join_from(table, tables.asset, tables.asset.c.id == table.c.asset_id)
        .where(table.c.retired_ns.is_(None), tables.asset.c.retired_ns.is_(None))
        .order_by(tables.asset.c.position, table.c.position)
    )
    return connection.execute(statement)
