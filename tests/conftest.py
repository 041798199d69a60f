"""Fixtures that every test may use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from facility.storage.database import metadata, open_database
from tests.databases import emptied, new_database
from tests.postgres import postgres
from tests.servers import Mosquitto, mosquitto_in

# Deadlines measure the machine, not the code; the database of examples would make a run depend on the one before.
settings.register_profile(
    "watchkeeper", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("watchkeeper")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database without tables, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    with new_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with all tables, all empty: once in SQLite and once in PostgreSQL."""
    if request.param == "postgresql":
        yield emptied(request.getfixturevalue("postgres_tables"))
        return
    engine = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_tables(postgres_url: str) -> Iterator[Engine]:
    """One PostgreSQL database with all tables, which the fixture ``database`` empties for each test."""
    with new_database(postgres_url) as url:
        engine = open_database(url)
        metadata.create_all(engine)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A real broker that the whole session shares; use topics of your own."""
    broker = mosquitto_in(tmp_path_factory.mktemp("mosquitto"))
    with broker.running():
        yield broker


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server with one database that the whole session shares; make one of your own in it."""
    with postgres() as url:
        yield url


@pytest_asyncio.fixture(autouse=True)
async def no_leaked_tasks(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test that leaves a task of its event loop running."""
    if not asyncio.iscoroutinefunction(getattr(request, "function", None)):
        yield
        return
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)  # lets cancelled tasks end
    leaked = [task for task in asyncio.all_tasks() - before if not task.done() and task is not asyncio.current_task()]
    assert not leaked, f"the test left tasks running: {leaked}"
