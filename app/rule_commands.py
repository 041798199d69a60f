"""The commands ``watchkeeper rules …``: rules as files for bulk work, and the review of changes, through the API."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from app.process import EXIT_FAILED, refusals
from app.server_client import ServerClient
from facility.errors import ConfigurationError, Mistake
from gateway.onboarding.given_file import decoded
from gateway.onboarding.tables import table

rule_commands = typer.Typer(no_args_is_help=True, help="Export and import rules; look at changes and approve them.")

FORMATS: Final = {".csv": "csv", ".yaml": "yaml", ".yml": "yaml"}
MOST_CHANGES: Final = 100
"""Changes in one list."""

LoginOption = Annotated[str, typer.Option(help="Of an engineer or supervisor.")]
ServerOption = Annotated[str, typer.Option(help="Where Watchkeeper runs.")]
PasswordOption = Annotated[str, typer.Option(prompt=True, hide_input=True, envvar="WATCHKEEPER_PASSWORD")]
HERE: Final = "http://127.0.0.1:8080"


@rule_commands.command("export")
def export_rules(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="A .csv for numbers in a spreadsheet, a .yaml for all.")],
    *,
    login: LoginOption,
    server: ServerOption = HERE,
    password: PasswordOption,
) -> None:
    """Write all rules that are on into a file."""
    with refusals():
        chosen = format_of(file)
        client = ServerClient(server, login=login, password=password)
        file.write_bytes(client.get_file(f"/api/rules/export?format={chosen}"))
    typer.echo(f"{file} holds the rules as they are live.")


@rule_commands.command("import")
def import_rules(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A .csv or .yaml as export writes it.")],
    *,
    login: LoginOption,
    reason: Annotated[str, typer.Option(help="For whoever reviews the change; needed unless --dry-run.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change, and change nothing.")] = False,
    server: ServerOption = HERE,
    password: PasswordOption,
) -> None:
    """Propose what a file changes as one change, for a second engineer to review."""
    with refusals():
        query = urlencode({"format": format_of(file), "dry_run": str(dry_run).lower()})
        client = ServerClient(server, login=login, password=password)
        report = client.post(f"/api/rules/import?{query}", {"text": text_of(file), "reason": reason})
    for line in report_lines(file, report):
        typer.echo(line)
    if report["mistakes"]:
        raise typer.Exit(EXIT_FAILED)


@rule_commands.command("changes")
def list_changes(
    change: Annotated[int | None, typer.Argument(help="One change, with its differences; without it, a list.")] = None,
    *,
    login: LoginOption,
    state: Annotated[str, typer.Option(help="Only those in this state; empty for all.")] = "proposed",
    server: ServerOption = HERE,
    password: PasswordOption,
) -> None:
    """List the changes that wait for a review, or show one."""
    with refusals():
        client = ServerClient(server, login=login, password=password)
        if change is None:
            query = {"limit": MOST_CHANGES} | ({"state": state} if state else {})
            typer.echo(change_table(client.get(f"/api/rule-changes?{urlencode(query)}")["changes"]))
        else:
            for line in change_lines(client.get(f"/api/rule-changes/{change}?limit=10000")):
                typer.echo(line)


@rule_commands.command("approve")
def approve_change(
    change: Annotated[int, typer.Argument(help="Number of the change.")],
    *,
    login: LoginOption,
    comment: Annotated[str, typer.Option(help="What you looked at.")],
    server: ServerOption = HERE,
    password: PasswordOption,
) -> None:
    """Approve a change that somebody else proposed: all of it is live then."""
    with refusals():
        client = ServerClient(server, login=login, password=password)
        version = client.get(f"/api/rule-changes/{change}?limit=1")["version"]
        client.post(f"/api/rule-changes/{change}/approve", {"version": version, "comment": comment})
    typer.echo(f"Change {change} is live.")


def format_of(file: Path) -> str:
    """Return the format that a file's name says.

    Raises:
        ConfigurationError: It says none.
    """
    chosen = FORMATS.get(file.suffix.lower())
    if chosen is None:
        raise ConfigurationError([Mistake(str(file), 0, "ends in neither .csv nor .yaml; rename it")])
    return chosen


def text_of(file: Path) -> str:
    """Return a file's text, whatever encoding a spreadsheet chose.

    Raises:
        ConfigurationError: It is no text.
    """
    text = decoded(file.read_bytes())
    if text is None:
        raise ConfigurationError(
            [Mistake(str(file), 0, "is no text; save it as CSV UTF-8 (a workbook cannot be read)")]
        )
    return text


def report_lines(file: Path, report: dict[str, Any]) -> Iterable[str]:
    """Yield what an import changes, or would change, and what is wrong."""
    for each in report["changes"]:
        said = "; ".join(difference["text"] for difference in each["differences"])
        yield f"{file}:{each['line']}: {each['asset_id']}/{each['name']}: {said}"
    for mistake in report["mistakes"]:
        yield f"{file}:{mistake['line']}: MISTAKE {mistake['message']}"
    yield (
        f"{len(report['changes'])} rules change, {report['unchanged']} stay as they are, "
        f"{len(report['mistakes'])} mistakes."
    )
    if report["change"]:
        yield f"Change {report['change']['id']} waits for a second engineer: watchkeeper rules approve …"


def change_table(changes: Iterable[dict[str, Any]]) -> str:
    """Return changes as a table."""
    rows = [
        (each["id"], each["state"], each["size"], each["author"], each["proposed_at"][:16], each["reason"])
        for each in changes
    ]
    return table(("change", "state", "rules", "author", "proposed", "reason"), rows)


def change_lines(change: dict[str, Any]) -> Iterable[str]:
    """Yield one change with its differences and what happened to it."""
    yield change_table([change])
    for each in change["revisions"]:
        said = "; ".join(difference["text"] for difference in each["differences"])
        yield f"{each['asset_id']}/{each['name']}: {said}"
    for line in change["journal"]:
        yield f"{line['at'][:16]} {line['transition']} by {line['actor']}: {line['comment'] or ''}".rstrip(": ")
