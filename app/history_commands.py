"""The commands ``watchkeeper history …``: take away what was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.history_export import Wanted, export_from_folder, export_from_server
from app.process import refusals
from facility.history.export import ExportForm
from facility.settings import Settings

history_commands = typer.Typer(no_args_is_help=True, help="Take away what was measured.")


@history_commands.callback()
def history() -> None:
    """Take away what was measured."""


@history_commands.command("export")
def export(
    addresses: Annotated[list[str], typer.Argument(metavar="POINT…", help="Such as pump-1/flow.")],
    *,
    begin: Annotated[str, typer.Option("--from", help="First instant, such as 2026-11-27 or 2026-11-27T09:30+08:00.")],
    end: Annotated[str, typer.Option("--to", help="First instant no longer wanted; UTC where no zone is written.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="File to write.")],
    form: Annotated[ExportForm, typer.Option("--format", help="csv has a header and times in UTC.")] = ExportForm.CSV,
    server: Annotated[
        str,
        typer.Option(help="Where Watchkeeper runs; without it, the data folder is read, which nobody may use then."),
    ] = "",
    login: Annotated[str, typer.Option(help="At the server: of anybody who may look.")] = "",
    password: Annotated[str, typer.Option(help="Asked for where it is not given.", envvar="WATCHKEEPER_PASSWORD")] = "",
) -> None:
    """Write the samples of some points and a period into one file, by point and time."""
    with refusals():
        wanted = Wanted(addresses=tuple(addresses), start=_instant(begin), end=_instant(end), form=form)
        if server:
            secret = password or typer.prompt("Password", hide_input=True)
            export_from_server(wanted, out, server=server.rstrip("/"), login=login, password=secret)
        else:
            export_from_folder(wanted, out, Settings())
    typer.echo(f"{out} holds {len(wanted.addresses)} points from {wanted.start} to {wanted.end}.")


def _instant(text: str) -> datetime:
    """Return an instant as people write it.

    Raises:
        BadParameter: It is none.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no instant; write 2026-11-27 or 2026-11-27T09:30+08:00") from error
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
