"""Writes a site's description into the database.

Keys of what stays never change, what goes is retired, and every change is journalled with its author and reason. About
rules a file decides only where it changed itself (:mod:`facility.storage.rule_import`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, insert, select, update

from facility.errors import ConfigurationError, Mistake
from facility.model import SiteDescription, WrittenConnection
from facility.priority import SHIPPED_MATRIX, written_matrix
from facility.storage.configuration_journal import Change, Import, Row, write_down
from facility.storage.rule_import import RuleDecision, import_rules
from facility.storage.tables import asset, point, site, space
from facility.storage.tables import connection as connection_table


class _Kind(NamedTuple):
    """How one table is brought up to date."""

    table: Table
    identity: tuple[str, ...]
    """Columns by which people know a row; its key is the database's."""


_SITE = _Kind(site, ("id",))
_SPACE = _Kind(space, ("id",))
_CONNECTION = _Kind(connection_table, ("id",))
_ASSET = _Kind(asset, ("id",))
_POINT = _Kind(point, ("asset_id", "name"))

_UNJOURNALLED = frozenset({"position", "retired_ns", "key", "site_id", "system"})
"""Bookkeeping that no person wrote."""


def import_site(
    connection: Connection, description: SiteDescription, *, author: str, reason: str, now_ns: int
) -> list[RuleDecision]:
    """Make the database hold the site as described, in the caller's transaction.

    Importing the same description again changes nothing.

    Returns:
        What it changed of rules that were there before, for their history.

    Raises:
        ConfigurationError: The database holds another site.
    """
    _refuse_other_site(connection, description.site_id)
    run = Import(connection=connection, author=author, reason=reason, now_ns=now_ns)
    _bring_up_to_date(run, _SITE, [_site_row(description)])
    _bring_up_to_date(run, _SPACE, _space_rows(description))
    _bring_up_to_date(run, _CONNECTION, _connection_rows(description))
    _bring_up_to_date(run, _ASSET, _asset_rows(description))
    _bring_up_to_date(run, _POINT, _point_rows(description))
    keys = _point_keys(connection)
    classes = {entry.id: entry.equipment_class for entry in description.assets.values()}
    return import_rules(run, _rule_rows(description, keys), classes, keys)


def _refuse_other_site(connection: Connection, site_id: str) -> None:
    held = connection.scalar(select(site.c.id).where(site.c.id != site_id))
    if held is not None:
        message = f"this database holds the site {held!r}; give {site_id!r} a data folder of its own, or keep the id"
        raise ConfigurationError([Mistake("site", 0, message)])


def _site_row(description: SiteDescription) -> Row:
    matrix = description.priority_matrix
    return {
        "id": description.site_id,
        "name": description.name.model_dump(),
        "time_zone": description.time_zone,
        "priority_matrix": None if matrix == SHIPPED_MATRIX else written_matrix(matrix),
        "holidays": description.holidays.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }


def _space_rows(description: SiteDescription) -> list[Row]:
    return [
        {
            "id": entry.id,
            "site_id": description.site_id,
            "name": entry.name.model_dump(),
            "kind": entry.kind,
            "parent_id": entry.parent,
            "position": position,
        }
        for position, entry in enumerate(description.spaces.values())
    ]


def _connection_rows(description: SiteDescription) -> list[Row]:
    rows = []
    for position, entry in enumerate(description.connections.values()):
        as_it_is = WrittenConnection(host=entry.host, port=str(entry.port), options=entry.options)
        written = description.written_connections.get(entry.id, as_it_is)
        rows.append(
            {
                "id": entry.id,
                "site_id": description.site_id,
                "protocol": entry.protocol.value,
                "host": written.host,
                "port": written.port,
                "options": dict(written.options),
                "position": position,
            }
        )
    return rows


def _asset_rows(description: SiteDescription) -> list[Row]:
    return [
        {
            "id": entry.id,
            "site_id": description.site_id,
            "name": entry.name.model_dump(),
            "class_name": entry.equipment_class.name,
            "system": entry.equipment_class.system.value,
            "space_id": entry.space_id,
            "parent_id": entry.parent_id,
            "connection_id": entry.connection_id,
            "profile": entry.profile,
            "address": dict(entry.address),
            "commands": list(entry.commands),
            "position": position,
        }
        for position, entry in enumerate(description.assets.values())
    ]


def _point_rows(description: SiteDescription) -> list[Row]:
    classes = {entry.equipment_class.name: entry.equipment_class for entry in description.assets.values()}
    written = {
        equipment.name: {name: definition.model_dump(mode="json") for name, definition in equipment.points.items()}
        for equipment in classes.values()
    }
    return [
        {"asset_id": entry.id, "name": name, "definition": definition, "position": position}
        for entry in description.assets.values()
        for position, (name, definition) in enumerate(written[entry.equipment_class.name].items())
    ]


def _rule_rows(description: SiteDescription, keys: Mapping[tuple[str, str], int]) -> list[Row]:
    # Assets without overrides share their class's definitions, which are written out once.
    shared = {id(each): each for rules in description.rules.values() for each in rules.values()}
    written = {key: definition.model_dump(mode="json") for key, definition in shared.items()}
    return [
        {
            "asset_id": asset_id,
            "name": name,
            "point_key": keys[asset_id, definition.point],
            "definition": written[id(definition)],
            "position": position,
        }
        for asset_id, rules in description.rules.items()
        for position, (name, definition) in enumerate(rules.items())
    ]


def _point_keys(connection: Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute(select(point.c.asset_id, point.c.name, point.c.key))
    return {(row.asset_id, row.name): row.key for row in rows}


def _bring_up_to_date(run: Import, kind: _Kind, wanted: Sequence[Row]) -> None:
    rows = [row._asdict() for row in run.connection.execute(select(kind.table))]
    held = {_identity(kind, row): row for row in rows}
    lives = "retired_ns" in kind.table.c
    wished = {_identity(kind, row): {**row, "retired_ns": None} if lives else row for row in wanted}
    _insert(run, kind, [row for name, row in wished.items() if name not in held])
    _update(run, kind, [(held[name], row) for name, row in wished.items() if name in held])
    if lives:
        _retire(run, kind, [row for name, row in held.items() if name not in wished and row["retired_ns"] is None])


def _insert(run: Import, kind: _Kind, rows: Sequence[Row]) -> None:
    if rows:
        run.connection.execute(insert(kind.table), rows)
        _journal(run, kind, [(None, row) for row in rows])


def _update(run: Import, kind: _Kind, pairs: Iterable[tuple[Row, Row]]) -> None:
    changed = [(before, after) for before, after in pairs if any(before[key] != after[key] for key in after)]
    if not changed:
        return
    values: dict[str, Any] = {key: bindparam(f"new_{key}") for key in changed[0][1] if key not in kind.identity}
    statement = update(kind.table).values(values)
    for key in kind.identity:
        statement = statement.where(kind.table.c[key] == bindparam(f"new_{key}"))
    run.connection.execute(statement, [{f"new_{key}": value for key, value in row.items()} for _, row in changed])
    was = [(None if before.get("retired_ns") is not None else before, after) for before, after in changed]
    _journal(run, kind, [(before, after) for before, after in was if _meant(before) != _meant(after)])


def _retire(run: Import, kind: _Kind, rows: Sequence[Row]) -> None:
    if not rows:
        return
    statement = update(kind.table).values(retired_ns=run.now_ns)
    for key in kind.identity:
        statement = statement.where(kind.table.c[key] == bindparam(f"old_{key}"))
    run.connection.execute(statement, [{f"old_{key}": row[key] for key in kind.identity} for row in rows])
    _journal(run, kind, [(row, None) for row in rows])


def _journal(run: Import, kind: _Kind, changes: Sequence[tuple[Row | None, Row | None]]) -> None:
    if kind is not _POINT:  # points come and go with their asset's class; nobody decides about one
        entities = ["/".join(_identity(kind, before or after or {})) for before, after in changes]
        lines = zip(entities, changes, strict=True)
        write_down(run, kind.table.name, [Change(entity, _meant(was), _meant(now)) for entity, (was, now) in lines])


def _identity(kind: _Kind, row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[key] for key in kind.identity)


def _meant(row: Row | None) -> Row | None:
    """Return what a person decided about."""
    return None if row is None else {key: value for key, value in row.items() if key not in _UNJOURNALLED}
