"""The journal: what happened to every alarm and order, who did it and on what evidence. Lines are only ever added."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from facility.storage.outbox import Topic
from people.model import Account
from people.tables import journal

Evidence = Mapping[str, float | int | str | bool | None]
"""What a decision was made on, such as value and limit; NaN is written as ``None``, since JSON has no word for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line to be written."""

    subject: Topic
    subject_id: int
    at_ns: int
    transition: str
    """The lifecycle row's name."""
    actor: Account
    comment: str | None = None
    """What the person said; ``None`` when nothing was said."""
    evidence: Evidence | None = None
    """``None`` when the transition speaks for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One line as it is read again."""

    at_ns: int
    transition: str
    actor: str
    """The name that the person had when the line was written."""
    comment: str | None
    evidence: Evidence | None


def record(connection: Connection, entries: Iterable[Entry]) -> None:
    """Append the entries in order to the caller's transaction."""
    rows = [
        {
            "subject": entry.subject.value,
            "subject_id": entry.subject_id,
            "at_ns": entry.at_ns,
            "transition": entry.transition,
            "actor_login": entry.actor.login,
            "actor_name": entry.actor.name,
            "comment": entry.comment,
            "evidence": _writable(entry.evidence),
        }
        for entry in entries
    ]
    if rows:
        connection.execute(insert(journal), rows)


def journal_of(connection: Connection, subject: Topic, subject_id: int) -> list[JournalLine]:
    """Return everything that happened to one alarm or order, oldest first."""
    statement = (
        select(journal)
        .where(journal.c.subject == subject.value, journal.c.subject_id == subject_id)
        .order_by(journal.c.id)
    )
    return [
        JournalLine(
            at_ns=row.at_ns,
            transition=row.transition,
            actor=row.actor_name,
            comment=row.comment,
            evidence=row.evidence,
        )
        for row in connection.execute(statement)
    ]


def last_line_of(connection: Connection, subject: Topic, subject_id: int) -> JournalLine | None:
    """Return the newest line of one alarm or order, ``None`` when nothing was ever written about it."""
    lines = journal_of(connection, subject, subject_id)
    return lines[-1] if lines else None


def _writable(evidence: Evidence | None) -> dict[str, float | int | str | bool | None] | None:
    if evidence is None:
        return None
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in evidence.items()}
