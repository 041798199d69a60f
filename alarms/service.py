"""What is done with alarms: transitions of rules and commands of people, each within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, update

from alarms import repository
from alarms.episodes import UNSAVED, acknowledged, begun, continued, evidence_of, policy_of, released, retired, step_of
from alarms.events import AlarmEvent
from alarms.lifecycle import Signal, Step, advance
from alarms.model import Alarm
from alarms.tables import alarm_episode
from facility.errors import InvalidCommandError, StaleCommandError
from facility.model import Facility
from facility.priority import Priority
from facility.storage.outbox import Topic, announce
from facility.storage.statements import new_ids
from people import journal
from people.model import SYSTEM, Account
from rules.events import RuleTransition


@dataclass(slots=True)
class _Episode:
    """An episode while a batch of transitions works on it."""

    alarm: Alarm
    id: int = UNSAVED


class _Change(NamedTuple):
    """One row that one transition took."""

    episode: _Episode
    transition: RuleTransition
    step: Step
    alarm: Alarm
    """As it was right afterwards."""


def apply_transitions(
    connection: Connection, facility: Facility, transitions: Sequence[RuleTransition], *, now_ns: int
) -> list[AlarmEvent]:
    """Take the rules' transitions in order; return every row of the lifecycle that was taken.

    What is delivered twice changes nothing the second time.
    """
    if not transitions:
        return []
    rule_ids = {transition.rule_id for transition in transitions}
    standing = {
        alarm.rule_id: _Episode(alarm, alarm.id) for alarm in repository.open_alarms_of_rules(connection, rule_ids)
    }
    changes = _fold(facility, transitions, standing)
    _save(connection, {id(change.episode): change.episode for change in changes}.values())
    journal.record(connection, [_line(change) for change in changes])
    announce(connection, Topic.ALARM, dict.fromkeys(change.episode.id for change in changes), now_ns)
    return [_event(change.episode.id, change.alarm, change.step, change.transition.at_ns) for change in changes]


def acknowledge(
    connection: Connection,
    facility: Facility,
    alarm_id: int,
    *,
    version: int,
    comment: str,
    actor: Account,
    now_ns: int,
) -> Alarm:
    """Note that ``actor`` has seen the alarm as it was in ``version``.

    Raises:
        NotFoundError: There is no such alarm.
        StaleCommandError: It changed meanwhile, or someone has acknowledged it already.
        InvalidCommandError: Priority 1 needs a comment.
    """
    before = _as_seen(connection, facility, alarm_id, version)
    step = advance(before.lifecycle, Signal.ACKNOWLEDGE, policy=policy_of(facility, before.rule_id))
    if step is None:
        raise _stale(connection, facility, before)
    said = comment.strip() or None
    if before.priority is Priority.CRITICAL and said is None:
        raise InvalidCommandError(f"{_name(facility, before)} has priority 1. Say in a comment what is being done.")
    after = acknowledged(before, step, actor=actor, comment=said, now_ns=now_ns)
    _command(connection, facility, before, after)
    _write_down(connection, after, step, actor=actor, comment=said, now_ns=now_ns)
    return after


def reset(
    connection: Connection, facility: Facility, alarm_id: int, *, version: int, actor: Account, now_ns: int
) -> Alarm:
    """Release a latched alarm that is clear and acknowledged.

    Raises:
        NotFoundError: There is no such alarm.
        StaleCommandError: It changed meanwhile, or is over.
        InvalidCommandError: It does not latch, is still active, or nobody has acknowledged it.
    """
    before = _as_seen(connection, facility, alarm_id, version)
    step = advance(before.lifecycle, Signal.RESET, policy=policy_of(facility, before.rule_id))
    if step is None:
        raise _not_resettable(connection, facility, before)
    after = released(before, now_ns=now_ns)
    _command(connection, facility, before, after)
    _write_down(connection, after, step, actor=actor, comment=None, now_ns=now_ns)
    return after


def retire(connection: Connection, facility: Facility, *, now_ns: int) -> list[AlarmEvent]:
    """Close every open episode whose rule the facility no longer has, since nothing else ever could."""
    events = []
    for before in repository.open_alarms(connection):
        if before.rule_id in facility.rules:
            continue
        step = advance(before.lifecycle, Signal.RETIRED, policy=policy_of(facility, before.rule_id))
        if step is not None:
            after = retired(before, now_ns=now_ns)
            _command(connection, facility, before, after)
            _write_down(connection, after, step, actor=SYSTEM, comment=None, now_ns=now_ns)
            events.append(_event(after.id, after, step, now_ns))
    return events


def _fold(facility: Facility, transitions: Sequence[RuleTransition], standing: dict[int, _Episode]) -> list[_Change]:
    """Apply the transitions to the episodes that stand, and to those that begin, in order."""
    changes = []
    for transition in transitions:
        episode = standing.get(transition.rule_id)
        step = step_of(transition, episode.alarm if episode else None, policy_of(facility, transition.rule_id))
        if step is None:
            continue
        if episode is None:
            asset_id = facility.rules[transition.rule_id].asset_id
            episode = standing[transition.rule_id] = _Episode(begun(transition, step, asset_id))
        else:
            episode.alarm = continued(episode.alarm, transition, step)
        changes.append(_Change(episode, transition, step, episode.alarm))
        if step.closed:
            del standing[transition.rule_id]
    return changes


def _save(connection: Connection, episodes: Collection[_Episode]) -> None:
    new = [episode for episode in episodes if episode.id == UNSAVED]
    old = [episode for episode in episodes if episode.id != UNSAVED]
    if old:
        connection.execute(_UPDATE, [_changing(episode.alarm) | {"key": episode.id} for episode in old])
    if new:
        for episode, alarm_id in zip(new, new_ids(connection, alarm_episode, len(new)), strict=True):
            episode.id = alarm_id
        connection.execute(insert(alarm_episode), [_first(episode) for episode in new])


_UPDATE = update(alarm_episode).where(alarm_episode.c.id == bindparam("key"))


def _first(episode: _Episode) -> dict[str, Any]:
    alarm = episode.alarm
    fixed = {
        "id": episode.id,
        "rule_id": alarm.rule_id,
        "asset_id": alarm.asset_id,
        "raised_at_ns": alarm.raised_at_ns,
    }
    return fixed | _changing(alarm)


def _changing(alarm: Alarm) -> dict[str, Any]:
    return {
        "version": alarm.version,
        "priority": int(alarm.priority),
        "active": alarm.active,
        "acknowledged": alarm.acknowledged,
        "latched": alarm.latched,
        "reason": alarm.reason.value,
        "value": alarm.value,
        "limit": alarm.limit,
        "explanation": alarm.explanation,
        "since_ns": alarm.since_ns,
        "cleared_at_ns": alarm.cleared_at_ns,
        "acknowledged_at_ns": alarm.acknowledged_at_ns,
        "acknowledged_by": alarm.acknowledged_by,
        "comment": alarm.comment,
        "closed_at_ns": alarm.closed_at_ns,
    }


def _line(change: _Change) -> journal.Entry:
    return journal.Entry(
        subject=Topic.ALARM,
        subject_id=change.episode.id,
        at_ns=change.transition.at_ns,
        transition=change.step.transition,
        actor=SYSTEM,
        evidence=evidence_of(change.transition),
    )


def _event(alarm_id: int, alarm: Alarm, step: Step, at_ns: int) -> AlarmEvent:
    return AlarmEvent(
        alarm_id=alarm_id,
        rule_id=alarm.rule_id,
        asset_id=alarm.asset_id,
        transition=step.transition,
        opened=step.opened,
        closed=step.closed,
        active=alarm.active,
        acknowledged=alarm.acknowledged,
        priority=alarm.priority,
        at_ns=at_ns,
    )


def _as_seen(connection: Connection, facility: Facility, alarm_id: int, version: int) -> Alarm:
    alarm = repository.alarm(connection, alarm_id)
    if alarm.version != version:
        raise _stale(connection, facility, alarm)
    return alarm


def _command(connection: Connection, facility: Facility, before: Alarm, after: Alarm) -> None:
    """Write the next version, unless someone else was faster."""
    statement = update(alarm_episode).where(alarm_episode.c.id == before.id, alarm_episode.c.version == before.version)
    if connection.execute(statement.values(_changing(after))).rowcount != 1:
        raise _stale(connection, facility, before)


def _write_down(
    connection: Connection, alarm: Alarm, step: Step, *, actor: Account, comment: str | None, now_ns: int
) -> None:
    entry = journal.Entry(
        subject=Topic.ALARM,
        subject_id=alarm.id,
        at_ns=now_ns,
        transition=step.transition,
        actor=actor,
        comment=comment,
    )
    journal.record(connection, [entry])
    announce(connection, Topic.ALARM, [alarm.id], now_ns)


def _stale(connection: Connection, facility: Facility, alarm: Alarm) -> StaleCommandError:
    last = journal.last_line_of(connection, Topic.ALARM, alarm.id)
    what = f"{last.transition.replace('_', ' ')} ({last.actor})" if last else "changed"
    return StaleCommandError(f"{_name(facility, alarm)} was {what} since you looked. Look again and decide again.")


def _not_resettable(
    connection: Connection, facility: Facility, alarm: Alarm
) -> StaleCommandError | InvalidCommandError:
    name = _name(facility, alarm)
    if alarm.closed_at_ns is not None:
        return _stale(connection, facility, alarm)
    if not alarm.latched:
        return InvalidCommandError(f"{name} does not latch. It ends when it is clear and acknowledged.")
    if alarm.active:
        return InvalidCommandError(f"{name} is still active. Remove the cause, then reset it.")
    return InvalidCommandError(f"{name} has not been acknowledged. Acknowledge it, then reset it.")


def _name(facility: Facility, alarm: Alarm) -> str:
    rule = facility.ever.rules.get(alarm.rule_id)
    title = rule.definition.title.en if rule else "rule removed"
    return f"Alarm {alarm.id} ({alarm.asset_id}: {title})"
