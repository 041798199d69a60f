"""The revisions lead to exactly the tables that the code speaks of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

import app.system  # noqa: F401  # every stage's tables
from facility.storage.database import metadata, open_database
from facility.storage.migrate import upgrade

PROCESSES = 2
MIGRATING_PROCESS = """
import sys
from facility.storage.database import open_database
from facility.storage.migrate import upgrade
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
