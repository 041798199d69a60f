"""Reads and writes the rules' live state, inside the caller's transaction."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from facility.storage.statements import in_parts
from rules.state import Phase, SavedState
from rules.tables import rule_state

_KEY = ("owner", "row")


def load_states(connection: Connection) -> list[SavedState]:
    """Return all saved rows, also those whose rule is gone."""
    return [
        SavedState(
            owner=line.owner,
            row=line.row,
            fingerprint=line.fingerprint,
            phase=Phase(line.phase),
            since_ns=line.since_ns,
            began_ns=line.began_ns,
            seen_ns=line.seen_ns,
            value=math.nan if line.value is None else line.value,
            priority=line.priority,
        )
        for line in connection.execute(select(rule_state))
    ]


def save_states(connection: Connection, states: Iterable[SavedState]) -> None:
    """Insert or replace rows."""
    lines = [_line_of(state) for state in states]
    if not lines:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(rule_state)
    newest = {column.name: statement.excluded[column.name] for column in rule_state.columns if column.name not in _KEY}
    connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=newest), lines)


def forget_removed_rules(connection: Connection, living: Collection[int]) -> None:
    """Remove the states of rules that are not among ``living``.

    A rule that comes back begins afresh. With its old state it would believe that it had raised its alarm already,
    whose episode was closed when the rule went.
    """
    kept = {f"rule:{rule_id}" for rule_id in living}
    saved = connection.scalars(select(rule_state.c.owner).where(rule_state.c.owner.startswith("rule:")).distinct())
    gone = {owner for owner in saved if owner.partition("/")[0] not in kept}
    for owners in in_parts(gone):
        connection.execute(delete(rule_state).where(rule_state.c.owner.in_(owners)))


def _line_of(state: SavedState) -> dict[str, Any]:
    line = asdict(state)
    line["phase"] = int(state.phase)
    line["value"] = None if math.isnan(state.value) else state.value
    return line
