"""Command a device's point, see what became of it, take it back."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from dashboards.access import ServicesDep, ViewerDep, allowed, from_our_page
from dashboards.command_views import command_detail, command_view
from dashboards.schemas import CommandDetail, CommandList, CommandView, RequestCommand, TakeBack
from dashboards.services import Services
from facility.errors import CommandFailedError, InvalidCommandError
from facility.storage.database import reading
from gateway.commands import repository, service
from gateway.commands.commander import Commander
from gateway.commands.lifecycle import ENDED, IN_FLIGHT, CommandState
from gateway.commands.model import Command, Request
from people.model import Account, Permission

router = APIRouter(prefix="/api/commands", tags=["commands"])

CommanderDep = Annotated[Account, Depends(allowed(Permission.COMMAND_DEVICE))]


@router.get("")
def list_commands(
    services: ServicesDep,
    _viewer: ViewerDep,
    *,
    state: Literal["living", "all"] = "living",
    asset_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> CommandList:
    """List commands, the newest first."""
    with reading(services.database) as connection:
        commands, total = repository.command_page(
            connection, living_only=state == "living", asset_id=asset_id, limit=limit, offset=offset
        )
    return CommandList(commands=[command_view(each) for each in commands], total=total)


@router.get("/{command_id}")
def one_command(command_id: int, services: ServicesDep, _viewer: ViewerDep) -> CommandDetail:
    """Show one command with its journal."""
    with reading(services.database) as connection:
        return command_detail(connection, command_id)


@router.post("", dependencies=[Depends(from_our_page)])
def request_command(asked: RequestCommand, services: ServicesDep, actor: CommanderDep) -> CommandView:
    """Command a point and wait until the device shows it; the same request again does nothing twice."""
    commander = commander_of(services)
    with services.database.begin() as connection:
        command = service.request(
            connection,
            services.command_site,
            Request(**asked.model_dump()),
            actor=actor,
            now_ns=services.clock.now_ns(),
        )
        outcome = commander.expect(command) if command.state in IN_FLIGHT else None
    services.hub.wake()
    if outcome is not None:
        commander.await_outcome(command, outcome)
    return command_view(shown_or_failed(newest(services, command.id)))


@router.post("/{command_id}/take-back", dependencies=[Depends(from_our_page)])
def take_back(command_id: int, asked: TakeBack, services: ServicesDep, actor: CommanderDep) -> CommandView:
    """Take a command back from its device; one that is over already stays as it is."""
    commander = commander_of(services)
    with services.database.begin() as connection:
        command = service.take_back(
            connection,
            services.command_site,
            command_id,
            reason=asked.reason,
            actor=actor,
            now_ns=services.clock.now_ns(),
        )
        outcome = None if command.state in ENDED else commander.expect(command)
    services.hub.wake()
    if outcome is not None:
        commander.await_outcome(command, outcome)
    return command_view(newest(services, command_id))


def commander_of(services: Services) -> Commander:
    """Return who carries commands out.

    Raises:
        InvalidCommandError: Nobody does in this process.
    """
    if services.commander is None:
        raise InvalidCommandError(
            "No gateway runs in this process, so it commands no device. Run the site in one process (`watchkeeper run` "
            "without --role), or use the device's own controls."
        )
    return services.commander


def newest(services: Services, command_id: int) -> Command:
    """Return a command as it stands now."""
    with reading(services.database) as connection:
        return repository.command(connection, command_id)


def shown_or_failed(command: Command) -> Command:
    """Return a command that went well so far.

    Raises:
        CommandFailedError: The device refused it, did not answer or shows something else.
    """
    if command.state in {CommandState.FAILING, CommandState.FAILED, CommandState.REFUSED}:
        raise CommandFailedError(command.detail or f"Command {command.id} failed.")
    return command
