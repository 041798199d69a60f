"""Writes samples into a file, through a running Watchkeeper or from the data folder of one that does not run."""

from __future__ import annotations

import contextlib
import os
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from app.server_client import ServerClient
from app.system import open_history
from facility.class_files import load_classes
from facility.clock import NS_PER_MS
from facility.errors import HistoryUnavailableError, InvalidCommandError, NotFoundError, WatchkeeperError
from facility.history.export import Export, ExportedPoint, ExportForm
from facility.settings import Settings
from facility.storage.database import open_database, reading
from facility.storage.migrate import upgrade
from facility.storage.repository import load_facility

T = TypeVar("T")


class FolderNotReadError(WatchkeeperError):
    """The data folder cannot be read, most often since a running Watchkeeper holds it; asking that one helps."""

    def __init__(self, reason: HistoryUnavailableError) -> None:
        super().__init__(f"{reason} While Watchkeeper runs, ask it: add --server http://127.0.0.1:8080 --login NAME.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for."""

    addresses: Sequence[str]
    """Of points, such as ``pump-1/flow``."""
    start: datetime
    end: datetime
    form: ExportForm

    def __post_init__(self) -> None:
        """Refuse a period that ends before it begins.

        Raises:
            InvalidCommandError: It does.
        """
        if self.end <= self.start:
            raise InvalidCommandError("The period is empty. Let --to be later than --from.")

    def of(self, points: Mapping[str, T]) -> list[T]:
        """Return the points that were asked for, each once.

        Raises:
            NotFoundError: Some are not there.
        """
        missing = [address for address in self.addresses if address not in points]
        if missing:
            known = ", ".join(list(points)[:3])
            raise NotFoundError(f"There is no point {', '.join(missing)}. The site has {len(points)}, such as {known}.")
        return [points[address] for address in dict.fromkeys(self.addresses)]


def export_from_server(wanted: Wanted, file: Path, *, server: str, login: str, password: str) -> None:
    """Have a server that runs write the file.

    Raises:
        ServerRefusedError: It does not answer, or refuses.
        NotFoundError: A point is not there.
    """
    client = ServerClient(server, login=login, password=password)
    assets = client.get("/api/facility")["assets"]
    keys = {f"{asset['id']}/{point['name']}": point["key"] for asset in assets for point in asset["points"]}
    query = {
        "point": wanted.of(keys),
        "from_ms": _millis(wanted.start),
        "to_ms": _millis(wanted.end),
        "format": wanted.form.value,
    }
    client.download(f"/api/history/export?{urllib.parse.urlencode(query, doseq=True)}", file)


def export_from_folder(wanted: Wanted, file: Path, settings: Settings) -> None:
    """Write the file from the history that the settings name; retired points are there, too.

    Raises:
        FolderNotReadError: The history does not answer, or a running Watchkeeper holds its folder.
        NotFoundError: A point is not there.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url)
    upgrade(database)
    try:
        with reading(database) as connection:
            facility = load_facility(connection, load_classes(), os.environ)
        points = wanted.of({point.address: ExportedPoint.of(point) for point in facility.ever.points.values()})
        start_ns, end_ns = (_millis(instant) * NS_PER_MS for instant in (wanted.start, wanted.end))
        with contextlib.closing(open_history(settings, database)) as history:
            history.export(Export(points, start_ns, end_ns, wanted.form), file)
    except HistoryUnavailableError as error:
        raise FolderNotReadError(error) from error
    finally:
        database.dispose()


def _millis(instant: datetime) -> int:
    """Return an instant in milliseconds since 1970, as the API counts."""
    return round(instant.timestamp() * 1000)
