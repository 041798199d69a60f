"""The revisions lead to exactly the tables that the code speaks of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect, select

import app.system  # noqa: F401  # every stage's tables
from alarms.tables import alarm_episode
from facility.class_files import load_classes
from facility.conditions import LimitSide, Threshold
from facility.storage.database import metadata, open_database
from facility.storage.migrate import upgrade
from facility.storage.repository import load_facility

CLASSES = load_classes()
PROCESSES = 2
MIGRATING_PROCESS = """
import sys
from facility.storage.database import open_database
from facility.storage.migrate import upgrade
from facility.storage.repository import load_facility
engine = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
upgrade(engine)
"""


@pytest.fixture
def empty(database_url: str) -> Iterator[Engine]:
    """A database without tables."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def differences(engine: Engine) -> list[object]:
    """Return what the code wants and the database lacks, and the other way round."""
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_a_new_database_gets_every_table_that_the_code_speaks_of(empty: Engine) -> None:
    upgrade(empty)
    upgrade(empty)  # a second time changes nothing
    assert differences(empty) == []
    assert {"alarm_episode", "work_order", "journal", "outbox", "rule_state"} <= set(inspect(empty).get_table_names())


def test_processes_that_start_at_once_on_a_new_database_both_start(empty: Engine) -> None:
    url = empty.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", MIGRATING_PROCESS, url]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603  # our own command
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, said
    assert differences(empty) == []


def stored(priority: int, time_min: float, *, limit: int | None = None, life_safety: bool = False) -> dict[str, Any]:
    """A rule as version 0003 kept it."""
    said = {"en": "Said", "zh": "已说"}
    limits = {"high": {"value": 80.0, "priority": None}, "high_high": {"value": 95.0, "priority": limit}}
    return {
        "name": "hot", "point": "heat", "title": said, "cause": said, "consequence": said, "corrective_action": said,
        "condition": {
            "on_delay_s": 0.0, "off_delay_s": 0.0, "type": "threshold", "limits": limits, "deadband": 0.0,
        },
        "only_when": None, "schedule": None, "priority": priority, "time_to_respond_min": time_min,
        "acknowledge": True, "latched": life_safety, "life_safety": life_safety, "order": None,
    }  # fmt: skip


OLD_RULES = [
    *(stored(priority, time_min) for priority in (1, 2, 3, 4) for time_min in (3, 5, 10, 60, 61, 1440)),
    stored(3, 30, limit=2),
    stored(3, 30, limit=1),
    stored(2, 1440, limit=1),
    stored(1, 120, life_safety=True, limit=2),
]


def filled_by_version_0003(engine: Engine) -> None:
    """Leave a site, its rules, one of them retired, and an alarm as version 0003 kept them."""
    upgrade(engine, revision="0003")
    name = {"en": "House", "zh": "楼"}
    with engine.begin() as connection:
        old = MetaData()
        old.reflect(connection)

        def add(table: str, **values: object) -> None:
            connection.execute(old.tables[table].insert(), values)

        add("site", id="house", name=name, time_zone="UTC")
        add("space", id="hall", site_id="house", name=name, kind="building", position=0)
        add("connection", id="line", site_id="house", protocol="modbus", host="h", port="1", options={}, position=0)
        add(
            "asset", id="pump-1", site_id="house", name=name, class_name="pump", system="pump", space_id="hall",
            connection_id="line", profile="pump-vfd-a", address={}, position=0,
        )  # fmt: skip
        point = CLASSES["pump"].points["bearing_temperature"].model_dump(mode="json")
        add("point", key=1, asset_id="pump-1", name="bearing_temperature", definition=point, position=0)
        for number, definition in enumerate(OLD_RULES, 1):
            add(
                "rule", id=number, asset_id="pump-1", name=f"hot-{number}", point_key=1, definition=definition,
                position=number, retired_ns=5 if number == len(OLD_RULES) else None,
            )  # fmt: skip
        add(
            "alarm_episode", id=1, version=1, rule_id=1, asset_id="pump-1", priority=1, active=True, acknowledged=False,
            latched=False, reason="high", since_ns=1, raised_at_ns=1,
        )  # fmt: skip


def test_rules_kept_before_priorities_were_computed_are_as_urgent_as_they_were(empty: Engine) -> None:
    filled_by_version_0003(empty)
    upgrade(empty)
    assert differences(empty) == []
    with empty.begin() as connection:
        facility = load_facility(connection, CLASSES, {})
        [alarm] = connection.execute(select(alarm_episode)).all()
    assert (alarm.priority, alarm.closed_at_ns) == (1, None)
    rules = [rule.definition for _, rule in sorted(facility.ever.rules.items())]
    for old, rule in zip(OLD_RULES, rules, strict=True):
        priority, time_min = old["priority"], old["time_to_respond_min"]
        if priority == 4 and time_min <= 5:
            assert (rule.priority, rule.time_to_respond_min, rule.consequence_class.value) == (3, time_min, "minor")
        elif priority == 1 and time_min > 60 and not rule.life_safety:
            assert (rule.priority, rule.time_to_respond_min) == (1, 60)
        else:
            assert (rule.priority, rule.time_to_respond_min) == (priority, time_min)
        assert isinstance(rule.condition, Threshold)
        outer = rule.condition.limits[LimitSide.HIGH_HIGH]
        limit = old["condition"]["limits"]["high_high"]["priority"]
        assert (outer.priority or rule.priority) == (1 if rule.life_safety else limit or rule.priority)
    assert rules[-1].life_safety
    assert len(facility.rules) == len(OLD_RULES) - 1  # the last one is in the archive
