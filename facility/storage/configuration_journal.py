"""One import of a site, and what every line of the configuration's journal says of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert

from facility.storage.tables import configuration_change

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import: its transaction, and what every row of the journal says."""

    connection: Connection
    author: str
    reason: str
    now_ns: int


class Change(NamedTuple):
    """What a person decided about one thing."""

    entity: str
    """Its id; of a rule ``asset/name``."""
    before: Row | None
    """``None`` before the first version, and while it was retired."""
    after: Row | None
    """``None`` when it was retired."""


def write_down(run: Import, kind: str, changes: Iterable[Change]) -> None:
    """Append changes of one kind of thing to the journal of the configuration."""
    rows = [
        {"at_ns": run.now_ns, "author": run.author, "reason": run.reason, "kind": kind, **change._asdict()}
        for change in changes
    ]
    if rows:
        run.connection.execute(insert(configuration_change), rows)
