"""Brings a database's tables to what this version of Watchkeeper wants, from code: there is no ini file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine

MIGRATIONS = Path(__file__).with_name("migrations")
"""Where the environment and its revisions are."""


def upgrade(engine: Engine, *, versions: Path | None = None) -> None:
    """Bring a database to the newest revision, in one transaction; one that is there already is left alone.

    Args:
        engine: From :func:`facility.storage.database.open_database`.
        versions: Folder of the revisions; ``None``: the shipped ones.
    """
    with _migrating(engine) as connection:
        command.upgrade(_config(connection, versions), "head")


def create_revision(engine: Engine, message: str, *, versions: Path | None = None) -> None:
    """Write the revision that leads from a database at the newest revision to the tables as the code has them.

    Import every stage's ``tables`` first: what is not imported looks removed. Read what it wrote before you keep it.

    Args:
        engine: A database at the newest revision.
        message: What changes, in a few words.
        versions: Folder of the revisions; ``None``: the shipped ones.
    """
    with _migrating(engine) as connection:
        command.revision(_config(connection, versions), message, autogenerate=True)


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        on_sqlite = engine.dialect.name == "sqlite"
        if on_sqlite:
            # SQLite alters a table by copying and dropping it; references to it must not mind for that long. The
            # pragma works outside transactions only, so it goes past SQLAlchemy, which would begin one.
            _driver_execute(connection, "PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
        finally:
            if on_sqlite:
                _driver_execute(connection, "PRAGMA foreign_keys=ON")


def _driver_execute(connection: Connection, statement: str) -> None:
    driver = connection.connection.driver_connection
    if driver is not None:
        driver.execute(statement)


def _config(connection: Connection, versions: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", _escaped(MIGRATIONS))
    config.set_main_option("version_locations", _escaped(versions or MIGRATIONS / "versions"))
    config.set_main_option("path_separator", "newline")  # a folder's name may hold any other separator
    config.attributes["connection"] = connection
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
