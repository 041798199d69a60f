"""What happens to commands, each step within the caller's transaction: its row, its journal line, its announcement."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import Connection, insert, update

from facility.clock import NS_PER_S
from facility.errors import ForbiddenError, InvalidCommandError, StaleCommandError
from facility.life_safety import point_refusal
from facility.model import Facility
from facility.storage.outbox import Topic, announce
from facility.units import display_unit
from gateway.commands import repository
from gateway.commands.lifecycle import ENDED, RELEASING, CommandState, Happening, Transition, advance
from gateway.commands.model import Command, Request, Writable, Writables
from gateway.commands.tables import device_command
from people import journal
from people.model import SYSTEM, Account, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What may be commanded, as the site stands now."""

    facility: Facility
    writables: Writables


def request(connection: Connection, site: Site, asked: Request, *, actor: Account, now_ns: int) -> Command:
    """Write down a command that is to be sent; the same request again gives the command that it made.

    Raises:
        InvalidCommandError: The point cannot be commanded, not by this value, or not for so long.
        ForbiddenError: The actor's role may not.
        StaleCommandError: Something else happened at the point since the person looked.
    """
    before = repository.command_of_request(connection, asked.request_id)
    if before is not None:
        return _repeated(before, asked)
    writable = _writable(site, asked.point_key)
    _refuse_role(writable, actor)
    _refuse_value(writable, asked)
    _refuse_stale(connection, writable, asked.holder)
    row = _take(None, Happening.REQUEST)
    values = _row(writable, asked, row, actor, now_ns)
    made = connection.execute(insert(device_command).values(values).returning(device_command.c.id))
    command = repository.command(connection, made.scalar_one())
    evidence: journal.Evidence = {"value": command.value, "priority": command.priority, "hold_s": _hold_s(command)}
    _tell(connection, command.id, row, actor=actor, comment=command.reason, now_ns=now_ns, evidence=evidence)
    return command


def take_back(
    connection: Connection, site: Site, command_id: int, *, reason: str, actor: Account, now_ns: int
) -> Command:
    """Have a command taken back from its device; one that is over or on its way back already stays as it is.

    Raises:
        NotFoundError: There is no such command.
        ForbiddenError: The actor's role may not.
        StaleCommandError: It is not confirmed yet, or another command is under way on its point.
    """
    command = repository.command(connection, command_id)
    writable = site.writables.get(command.point_key)
    if writable is not None:
        _refuse_role(writable, actor)
    if command.state in ENDED | RELEASING:
        return command
    other = repository.under_way(connection, command.point_key)
    if other is not None:
        raise StaleCommandError(
            f"Command {other.id} of {other.author} is under way on this point. Wait until it is done."
        )
    return happen(connection, command, Happening.TAKE_BACK, actor=actor, comment=reason, now_ns=now_ns)


def happen(
    connection: Connection,
    command: Command,
    happening: Happening,
    *,
    now_ns: int,
    actor: Account = SYSTEM,
    comment: str | None = None,
    shown: float | None = None,
    detail: str | None = None,
) -> Command:
    """Take the row for what happened to a command.

    What a command leaves at a device, shown or let go, is no other command's any more: one that held the point ends.

    Raises:
        StaleCommandError: It changed meanwhile, or this does not happen to it as it stands.
    """
    row = _take(command.state, happening)
    if happening in {Happening.SHOW, Happening.RELEASE}:
        _supersede_holder(connection, command, now_ns=now_ns)
    columns = {
        "state": row.after.value,
        "version": command.version + 1,
        "shown": command.shown if shown is None else shown,
        "detail": command.detail if detail is None else detail,
        "ended_at_ns": now_ns if row.after in ENDED else None,
    }
    mine = (device_command.c.id == command.id) & (device_command.c.version == command.version)
    if connection.execute(update(device_command).where(mine).values(columns)).rowcount != 1:
        raise StaleCommandError(f"Command {command.id} has changed. Look again and decide again.")
    evidence: journal.Evidence | None = None if shown is None else {"shown": shown, "value": command.value}
    said = comment if comment is not None else detail
    _tell(connection, command.id, row, actor=actor, comment=said, now_ns=now_ns, evidence=evidence)
    return repository.command(connection, command.id)


def is_shown(command: Command, value: float) -> bool:
    """Tell whether a value that the device shows is the commanded one."""
    return math.isfinite(value) and abs(value - command.value) <= command.tolerance


def is_too_old(command: Command, now_ns: int, *, send_within_s: float) -> bool:
    """Tell whether a command waited so long that its person no longer expects it to be sent."""
    return now_ns - command.requested_at_ns > send_within_s * NS_PER_S


def _repeated(before: Command, asked: Request) -> Command:
    if (before.point_key, before.value) != (asked.point_key, asked.value):
        raise StaleCommandError(
            f"The request {asked.request_id!r} was another command ({before.id}) already. Give each command its own id."
        )
    return before


def _writable(site: Site, point_key: int) -> Writable:
    point = site.facility.points.get(point_key)
    if point is None:
        raise InvalidCommandError(f"There is no point {point_key}. GET /api/facility lists all points with their keys.")
    reason = point_refusal(site.facility, point)
    if reason is not None:  # whatever the files say
        raise InvalidCommandError(f"{point.address} is never commanded: {reason}.")
    writable = site.writables.get(point_key)
    if writable is None:
        raise InvalidCommandError(
            f"{point.address} may not be commanded. Add it to the asset's 'commands' in the site file, and a 'write' "
            f"entry to its profile."
        )
    return writable


def _refuse_role(writable: Writable, actor: Account) -> None:
    if not (actor.may(Permission.COMMAND_DEVICE) and actor.role in writable.roles):
        allowed = ", ".join(sorted(writable.roles))
        raise ForbiddenError(f"{actor.name} is {actor.role}; {writable.point.address} takes commands from: {allowed}.")


def _refuse_value(writable: Writable, asked: Request) -> None:
    place = writable.point.address
    if writable.low is not None and writable.high is not None:
        if not writable.low <= asked.value <= writable.high:
            limits = f"{writable.low:g} to {writable.high:g} {display_unit(writable.point.definition.unit)}".rstrip()
            raise InvalidCommandError(f"{asked.value:g} is outside the limits of {place}; write {limits}.")
    elif asked.value not in writable.codes:
        names = [name for name, code in writable.point.definition.states.items() if code in writable.codes]
        raise InvalidCommandError(f"{asked.value:g} is no state that {place} takes; choose one of: {', '.join(names)}")
    if asked.hold_s is not None and not 0 < asked.hold_s <= writable.longest_s:
        raise InvalidCommandError(f"{place} may be held for up to {writable.longest_s:g} s; ask for less.")


def _refuse_stale(connection: Connection, writable: Writable, holder_seen: int | None) -> None:
    other = repository.under_way(connection, writable.point.key)
    if other is not None:
        raise StaleCommandError(f"A command of {other.author} is under way on this point. Wait until it is done.")
    held = repository.holder(connection, writable.point.key)
    if (held.id if held else None) != holder_seen:
        who = f"{held.author} holds it" if held else "nobody holds it any more"
        raise StaleCommandError(f"{writable.point.address} has changed: {who}. Look again and decide again.")
    if held is not None and held.priority != writable.priority:
        raise StaleCommandError(
            f"{writable.point.address} is held at priority {held.priority}, and its profile now says "
            f"{writable.priority}. Take the command back first."
        )


def _row(writable: Writable, asked: Request, row: Transition, actor: Account, now_ns: int) -> dict[str, object]:
    hold_s = writable.longest_s if asked.hold_s is None else asked.hold_s
    return {
        "version": 1,
        "request_id": asked.request_id,
        "point_key": writable.point.key,
        "asset_id": writable.point.asset_id,
        "value": asked.value,
        "priority": writable.priority,
        "release": writable.release.value,
        "safe": writable.safe,
        "tolerance": writable.tolerance,
        "confirm_s": writable.confirm_s,
        "state": row.after.value,
        "reason": asked.reason,
        "author_id": actor.id,
        "author": actor.name,
        "requested_at_ns": now_ns,
        "expires_at_ns": now_ns + round(hold_s * NS_PER_S),
    }


def _hold_s(command: Command) -> float:
    return (command.expires_at_ns - command.requested_at_ns) / NS_PER_S


def _take(state: CommandState | None, happening: Happening) -> Transition:
    row = advance(state, happening)
    if row is None:
        raise StaleCommandError(f"The command is {state}: it cannot {happening.replace('_', ' ')}. Look at it again.")
    return row


def _supersede_holder(connection: Connection, command: Command, *, now_ns: int) -> None:
    held = repository.holder(connection, command.point_key)
    if held is not None and held.id != command.id:
        happen(connection, held, Happening.SUPERSEDE, now_ns=now_ns, comment=f"by command {command.id}")


def _tell(
    connection: Connection,
    command_id: int,
    row: Transition,
    *,
    actor: Account,
    comment: str | None,
    now_ns: int,
    evidence: journal.Evidence | None = None,
) -> None:
    line = journal.Entry(
        subject=Topic.COMMAND,
        subject_id=command_id,
        at_ns=now_ns,
        transition=row.name,
        actor=actor,
        comment=comment,
        evidence=evidence,
    )
    journal.record(connection, [line])
    announce(connection, Topic.COMMAND, [command_id], now_ns)
