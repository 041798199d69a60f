from __future__ import annotations

import math

from sqlalchemy import Engine

from facility.storage.outbox import Topic
from people.journal import Entry, JournalLine, journal_of, last_line_of, record
from people.model import SYSTEM


def entry(subject: Topic, transition: str, value: float = 1.0) -> Entry:
    return Entry(
        subject=subject,
        subject_id=7,
        at_ns=5,
        transition=transition,
        actor=SYSTEM,
        comment="all well",
        evidence={"value": value},
    )


def test_an_alarm_and_an_order_of_the_same_number_have_journals_of_their_own(database: Engine) -> None:
    with database.begin() as connection:
        record(connection, [])
        record(connection, [entry(Topic.ALARM, "raised"), entry(Topic.WORK_ORDER, "assigned")])
        record(connection, [entry(Topic.ALARM, "cleared", math.nan)])
        lines = journal_of(connection, Topic.ALARM, 7)
        assert [line.transition for line in lines] == ["raised", "cleared"]
        assert lines[0] == JournalLine(
            at_ns=5, transition="raised", actor="Watchkeeper", comment="all well", evidence={"value": 1.0}
        )
        assert last_line_of(connection, Topic.ALARM, 7) == lines[-1]
        assert last_line_of(connection, Topic.ALARM, 8) is None


def test_missing_data_is_written_as_none(database: Engine) -> None:
    with database.begin() as connection:
        record(connection, [entry(Topic.ALARM, "raised", math.nan)])
        assert journal_of(connection, Topic.ALARM, 7)[0].evidence == {"value": None}
