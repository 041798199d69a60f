"""Every question that is asked about commands."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from facility.errors import NotFoundError
from facility.storage.statements import in_parts
from gateway.commands.lifecycle import ENDED, IN_FLIGHT, RELEASING, CommandState
from gateway.commands.model import Command, Release
from gateway.commands.tables import device_command as table

_NOT_ENDED = table.c.state.not_in(sorted(state.value for state in ENDED))
_UNDER_WAY = table.c.state.in_(sorted(state.value for state in IN_FLIGHT | RELEASING))
_HOLDING = table.c.state == CommandState.CONFIRMED.value


def command(connection: Connection, command_id: int) -> Command:
    """Return one command.

    Raises:
        NotFoundError: There is none with this id.
    """
    found = commands_by_id(connection, [command_id])
    if not found:
        raise NotFoundError(f"There is no command {command_id}. Look it up in the list of commands.")
    return found[0]


def commands_by_id(connection: Connection, ids: Collection[int]) -> list[Command]:
    """Return the commands that exist among ``ids``, in the order of their ids."""
    return [
        each
        for part in in_parts(ids)
        for each in _commands(connection, select(table).where(table.c.id.in_(part)).order_by(table.c.id))
    ]


def command_of_request(connection: Connection, request_id: str) -> Command | None:
    """Return what a client asked for under this identity; ``None`` when it never did."""
    found = _commands(connection, select(table).where(table.c.request_id == request_id))
    return found[0] if found else None


def under_way(connection: Connection, point_key: int) -> Command | None:
    """Return the command that is on its way to or from a point; ``None`` for none."""
    found = _commands(connection, select(table).where(table.c.point_key == point_key, _UNDER_WAY))
    return found[0] if found else None


def holder(connection: Connection, point_key: int) -> Command | None:
    """Return the command that holds a point; ``None`` for none."""
    found = _commands(connection, select(table).where(table.c.point_key == point_key, _HOLDING))
    return found[0] if found else None


def living(connection: Connection) -> list[Command]:
    """Return every command that has not ended, oldest first."""
    return _commands(connection, select(table).where(_NOT_ENDED).order_by(table.c.id))


def due(connection: Connection, now_ns: int) -> list[Command]:
    """Return the commands with which something is to be done now: those under way, and those whose time is over.

    A command that holds a point waits for one that is under way on the same point.
    """
    other = table.alias()
    waits = (
        select(other.c.id)
        .where(
            other.c.point_key == table.c.point_key,
            other.c.state.in_(sorted(state.value for state in IN_FLIGHT | RELEASING)),
        )
        .exists()
    )
    is_over = and_(_HOLDING, table.c.expires_at_ns <= now_ns, ~waits)
    return _commands(connection, select(table).where(or_(_UNDER_WAY, is_over)).order_by(table.c.id))


def command_page(
    connection: Connection, *, living_only: bool, asset_id: str | None, limit: int, offset: int
) -> tuple[list[Command], int]:
    """Return one page, the newest first, and how many there are on all pages.

    ``asset_id`` is a filter; ``None`` means every asset.
    """
    conditions: list[ColumnElement[bool]] = []
    if living_only:
        conditions.append(_NOT_ENDED)
    if asset_id is not None:
        conditions.append(table.c.asset_id == asset_id)
    page = select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit).offset(offset)
    total = connection.scalar(select(func.count()).select_from(table).where(*conditions))
    return _commands(connection, page), total or 0


def _commands(connection: Connection, statement: Select[*tuple[Any, ...]]) -> list[Command]:
    return [_command(row) for row in connection.execute(statement)]


def _command(row: Row[*tuple[Any, ...]]) -> Command:
    values = row._asdict()
    return Command(**{**values, "release": Release(row.release), "state": CommandState(row.state)})
