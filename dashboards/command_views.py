"""Turns commands into what the console gets."""

from __future__ import annotations

from sqlalchemy import Connection

from dashboards.schemas import CommandDetail, CommandView
from dashboards.views import journal_entries, moment, moment_or_none, number_or_none
from facility.storage.outbox import Topic
from gateway.commands import repository
from gateway.commands.model import Command


def command_view(command: Command) -> CommandView:
    """Show one command."""
    return CommandView(
        id=command.id,
        version=command.version,
        request_id=command.request_id,
        point_key=command.point_key,
        asset_id=command.asset_id,
        value=command.value,
        priority=command.priority,
        state=command.state.value,
        reason=command.reason,
        author=command.author,
        requested_at=moment(command.requested_at_ns),
        expires_at=moment(command.expires_at_ns),
        shown=number_or_none(command.shown),
        detail=command.detail,
        ended_at=moment_or_none(command.ended_at_ns),
    )


def command_detail(connection: Connection, command_id: int) -> CommandDetail:
    """Show one command with what happened to it."""
    view = command_view(repository.command(connection, command_id))
    return CommandDetail(**dict(view), journal=journal_entries(connection, Topic.COMMAND, command_id))
