"""The command ``watchkeeper backtest``: rules on history, through a running server or on a data folder by itself."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

import orjson
import typer
from sqlalchemy import Engine

from app.backtest.asking import RuleIds, Typed, moment_of, request_of
from app.backtest.service import work_of
from app.backtest.table import result_text
from app.backtest.work import BacktestTask
from app.backtest.worker import BESIDE_PEOPLE, Worker
from app.process import refusals
from app.server_client import ServerClient
from app.system import open_history
from dashboards.backtest_schemas import BacktestResult, BacktestState, BacktestView
from facility.class_files import load_classes
from facility.errors import HistoryUnavailableError, InvalidCommandError, NotFoundError
from facility.history.history import History
from facility.model import Facility
from facility.settings import Settings
from facility.storage.database import open_database, reading
from facility.storage.migrate import upgrade
from facility.storage.repository import load_facility

LOOK_S: Final = 0.5
"""Seconds between two looks at how far a server's back-test is."""
MOST_PER_ASSET: Final = 1_000
"""Rules of one asset that are asked for."""


StartOption = Annotated[
    datetime, typer.Option("--from", parser=moment_of, metavar="TIME", help="Where the period begins.")
]
EndOption = Annotated[datetime, typer.Option("--to", parser=moment_of, metavar="TIME", help="Where it ends.")]
DraftOption = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="YAML of drafts, to test beside the live rules.")
]
LabelOption = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="YAML of stretches in which something was wrong.")
]
ServerOption = Annotated[
    str | None, typer.Option(help="Where Watchkeeper runs. Without it the data folder is read, where none may run.")
]


def backtest(
    *,
    start: StartOption,
    end: EndOption,
    rule: Annotated[list[str] | None, typer.Option(help="A live rule, as asset/rule; without any, all.")] = None,
    draft: DraftOption = None,
    change: Annotated[int | None, typer.Option(help="A proposed change of rules, by its number.")] = None,
    label_file: LabelOption = None,
    server: ServerOption = None,
    login: Annotated[str, typer.Option(help="Of an engineer or supervisor, for --server.")] = "",
    password: Annotated[str, typer.Option(envvar="WATCHKEEPER_PASSWORD", help="Asked for where it is needed.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Run rules, or drafts of rules, on history, and compare what they would have raised.

    Times are ISO 8601, UTC where they name no zone. See docs/backtest.md for the files. Settings come from
    WATCHKEEPER_… variables, as for run.
    """
    typed = Typed(rules=rule or (), drafts=draft, change_id=change, labels=label_file, start=start, end=end)
    with refusals():
        if server is None:
            result = run_here(typed, Settings())
        else:
            secret = password or typer.prompt("Password", hide_input=True)
            result = run_there(typed, ServerClient(server, login=login, password=secret))
    if json:
        shown = orjson.dumps(result.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
        typer.echo(shown.decode())
    else:
        typer.echo(result_text(result))


def run_here(typed: Typed, settings: Settings) -> BacktestResult:
    """Test on a data folder.

    Raises:
        WatchkeeperError: Something typed has mistakes, or a running Watchkeeper holds the folder.
    """
    if not settings.data_dir.is_dir():
        raise NotFoundError(f"There is no data folder {settings.data_dir}. Name it with WATCHKEEPER_DATA_DIR.")
    database = open_database(settings.database_url)
    upgrade(database)
    with reading(database) as connection:
        facility = load_facility(connection, load_classes(), os.environ)
        work = work_of(request_of(typed, ids_in(facility)), facility, connection)
    with (
        contextlib.closing(history_of(settings, database)) as history,
        tempfile.TemporaryDirectory(dir=settings.data_dir, prefix="backtest-") as folder,
    ):
        files = work.snapshot(history, Path(folder))
        with contextlib.closing(Worker(Path(folder), niceness=BESIDE_PEOPLE)) as worker:
            task = BacktestTask(work=work, files=files)
            return BacktestResult.model_validate_json(worker.ask(task, say_progress))


def history_of(settings: Settings, database: Engine) -> History:
    """Open a data folder's history.

    Raises:
        InvalidCommandError: A running Watchkeeper holds it.
    """
    try:
        return open_history(settings, database)
    except HistoryUnavailableError as error:
        raise InvalidCommandError(
            f"{error} If Watchkeeper runs on {settings.data_dir}, test through it: --server http://… --login …"
        ) from error


def run_there(typed: Typed, client: ServerClient) -> BacktestResult:
    """Have a server test.

    Raises:
        WatchkeeperError: Something typed has mistakes, or the server refuses or fails.
    """
    asked = request_of(typed, ids_at(client))
    view = BacktestView.model_validate(client.post("/api/backtests", asked.model_dump(mode="json")))
    try:
        while view.state in {BacktestState.WAITING, BacktestState.RUNNING}:
            time.sleep(LOOK_S)
            view = BacktestView.model_validate(client.get(f"/api/backtests/{view.id}"))
            say_progress(view.progress)
    except KeyboardInterrupt:
        client.post(f"/api/backtests/{view.id}/cancel", {})
        raise
    if view.result is None:
        raise InvalidCommandError(view.error or "The back-test was cancelled.")
    return view.result


def ids_in(facility: Facility) -> RuleIds:
    """Return how a facility's rules are found by name."""
    ids: dict[str, dict[str, int]] = {}
    for rule in facility.rules.values():
        ids.setdefault(rule.asset_id, {})[rule.definition.name] = rule.id
    return lambda asset_id: ids.get(asset_id, {})


def ids_at(client: ServerClient) -> RuleIds:
    """Return how a server's rules are found by name."""

    @functools.cache
    def ids(asset_id: str) -> Mapping[str, int]:
        query = urlencode({"asset_id": asset_id, "limit": MOST_PER_ASSET})
        return {rule["name"]: rule["id"] for rule in client.get(f"/api/rules?{query}")["rules"]}

    return ids


def say_progress(share: float) -> None:
    """Show how far it is, where somebody looks on."""
    if sys.stderr.isatty():
        typer.echo(f"\r{share:4.0%} ", nl=False, err=True)
