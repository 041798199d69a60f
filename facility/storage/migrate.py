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


def upgrade(engine: Engine, *, versions: Path | None = None, revision: str = "head") -> None:
    """Bring a database to a revision, in one transaction; one that is there already is left alone.

    Of several processes that start at once, one migrates while the others wait for the write lock, as for any unit of
    work, and then find nothing to do.

    Args:
        engine: From :func:`facility.storage.database.open_database`.
        versions: Folder of the revisions; ``None``: the shipped ones.
        revision: Where to stop; the newest unless one is named.
    """
    with _migrating(engine) as connection:
        command.upgrade(_config(connection, versions), revision)


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
        if engine.dialect.name == "sqlite":
            # SQLite alters a table by copying and dropping it; references to it must not mind for that long, and
            # another process's migration of a large table is worth more patience than a command.
            _sqlite_pragmas(connection, "foreign_keys=OFF", "busy_timeout=600000")
        try:
            with connection.begin():
                yield connection
        finally:
            if engine.dialect.name == "sqlite":
                _sqlite_pragmas(connection, "foreign_keys=ON", "busy_timeout=10000")


def _sqlite_pragmas(connection: Connection, *pragmas: str) -> None:
    """Set pragmas that work outside transactions only: past SQLAlchemy, which would begin one."""
    driver = connection.connection.driver_connection
    if driver is not None:
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}")


def _config(connection: Connection, versions: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", _escaped(MIGRATIONS))
    config.set_main_option("version_locations", _escaped(versions or MIGRATIONS / "versions"))
    config.set_main_option("path_separator", "newline")  # a folder's name may hold any other separator
    config.attributes["connection"] = connection
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
