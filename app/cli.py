"""The command line: each command reads its arguments and hands over."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Annotated

import orjson
import typer

from app.backtest_commands import backtest
from app.demo.demo import DemoOptions, run_demo
from app.demo.story import Progress, farewell
from app.gateway_commands import gateway_commands
from app.history_commands import history_commands
from app.logs import configure_logs
from app.outpost import run_gateway
from app.process import EXIT_FAILED, refusals, run_until_signal
from app.replay.replay import ReplayOptions, run_replay
from app.roles import RoleName
from app.rule_commands import rule_commands
from app.server import run_server
from app.simulate import run_simulators
from app.site_client import apply_site
from facility.class_files import load_classes
from facility.clock import SystemClock
from facility.equipment import System
from facility.settings import Settings
from facility.storage.database import open_database
from facility.storage.migrate import upgrade
from gateway.site_check import check_site
from people.model import Role
from people.service import create_account

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
site_commands = typer.Typer(no_args_is_help=True, help="Check a site file, or put it into a running Watchkeeper.")
account_commands = typer.Typer(no_args_is_help=True, help="Add people who can log in.")
cli.add_typer(site_commands, name="site")
cli.add_typer(account_commands, name="account")
cli.add_typer(gateway_commands, name="gateway")
cli.add_typer(history_commands, name="history")
cli.add_typer(rule_commands, name="rules")
cli.command()(backtest)

SiteOption = Annotated[Path, typer.Option("--site", exists=True, dir_okay=False, help="The site file.")]
SeedOption = Annotated[int, typer.Option(help="The same seed plays the same devices.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")]


def print_json(value: object) -> None:
    """Print one JSON object for programs."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


@cli.command()
def demo(
    *,
    port: Annotated[int, typer.Option(help="Of the console; 0 takes a free one.")] = 8080,
    seconds: Annotated[float | None, typer.Option(min=1, help="Stop after so long; without it, on Ctrl-C.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Say nothing while it runs, on a free port.")] = False,
    json: JsonOption = False,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the data here; without it, it goes at the end.")] = None,
    seed: SeedOption = 1,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what the parts say.")] = False,
) -> None:
    """Run Harbour Tower: simulated devices that fail, and the whole of Watchkeeper."""
    started_s = time.monotonic()
    errors = configure_logs(logging.INFO if verbose else logging.ERROR)  # devices that fail are the demo's very story
    options = DemoOptions(port=0 if headless else port, data_dir=data_dir, seed=seed, seconds=seconds)
    progress = Progress(silent=headless)
    summary = run_until_signal(
        lambda stop: run_demo(options, started_s=started_s, stop=stop, errors=errors, progress=progress)
    )
    if json:
        print_json(summary.as_json())
    else:
        progress.say(farewell(summary))
    if headless and not summary.ok:
        raise typer.Exit(EXIT_FAILED)


@cli.command()
def run(
    *,
    site: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Import this site file first.")] = None,
    role: Annotated[
        RoleName, typer.Option(help="Run gateway and engine apart, with a bus between them.")
    ] = RoleName.ALL,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what the parts say.")] = False,
) -> None:
    """Run gateway, engine, API and console; settings come from WATCHKEEPER_… variables.

    With --role gateway only the devices are read, kept on disk and sent to the bus (WATCHKEEPER_BUS_URL);
    with --role engine everything else runs, on what gateways send. See docs/deployment.md.
    """
    configure_logs(logging.INFO if verbose else logging.WARNING)
    settings = Settings() if site is None else Settings(site_file=site)
    if role is RoleName.GATEWAY:
        run_until_signal(lambda stop: run_gateway(settings, SystemClock(), stop))
    else:
        run_until_signal(lambda stop: run_server(settings, SystemClock(), stop, role=role))


@cli.command()
def simulate(
    *,
    site: SiteOption,
    scenario: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Faults to play.")] = None,
    system: Annotated[list[System] | None, typer.Option(help="Only these systems.")] = None,
    speed: Annotated[float, typer.Option(min=0.01, help="Facility seconds per second.")] = 1.0,
    seed: SeedOption = 1,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what the devices suffer.")] = False,
) -> None:
    """Play every device of a site on its own wire, until Ctrl-C."""
    configure_logs(logging.INFO if verbose else logging.WARNING)
    run_until_signal(lambda stop: run_simulators(site, scenario, system, speed=speed, seed=seed, stop=stop))


@cli.command()
def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The recording.")],
    *,
    profile: Annotated[str, typer.Option(help="Device profile that reads it: which wire it takes.")],
    speed: Annotated[float, typer.Option(min=0.01, help="Recorded seconds per second.")] = 60.0,
    json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what the parts say.")] = False,
) -> None:
    """Play a recording through a protocol simulator onto the wire, and take it the whole way."""
    configure_logs(logging.INFO if verbose else logging.WARNING)
    options = ReplayOptions(file=file, profile=profile, speed=speed)
    summary = run_until_signal(lambda stop: run_replay(options, stop))
    if json:
        print_json(summary.as_json())
    else:
        typer.echo(summary.as_text())


@site_commands.command("check")
def check_site_file(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Name every mistake of a site file and of the profiles that it uses, with its line and what to write instead."""
    with refusals():
        site = check_site(file, load_classes(), os.environ)
    typer.echo(f"{file} is in order: {len(site.assets)} assets on {len(site.connections)} connections.")


@site_commands.command("apply")
def apply_site_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    *,
    login: Annotated[str, typer.Option(help="Of an engineer or supervisor.")],
    reason: Annotated[str, typer.Option(help="For the journal of the configuration.")],
    server: Annotated[str, typer.Option(help="Where Watchkeeper runs.")] = "http://127.0.0.1:8080",
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, envvar="WATCHKEEPER_PASSWORD")],
) -> None:
    """Change the site of a running Watchkeeper; what the file does not change goes on untouched."""
    with refusals():
        apply_site(file, server=server.rstrip("/"), login=login, password=password, reason=reason)
    typer.echo(f"{server} runs {file} now.")


@account_commands.command("add")
def add_account(
    *,
    login: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option(help="As colleagues say it.")],
    role: Annotated[Role, typer.Option()],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
) -> None:
    """Add someone who can log in."""
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url)
    upgrade(database)
    with refusals(), database.begin() as connection:
        create_account(connection, login=login, name=name, role=role, password=password, now_ns=SystemClock().now_ns())
    typer.echo(f"{name} can log in as {login}.")


def main() -> None:
    """Run the command line."""
    cli()


if __name__ == "__main__":
    main()
