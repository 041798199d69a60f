"""Turns domain values into what the console gets; the only place that knows both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from alarms import repository as alarms
from alarms.model import Alarm
from dashboards.schemas import (
    AccountView,
    AlarmDetail,
    AlarmView,
    AssetView,
    CommandableView,
    ConnectionView,
    FacilityView,
    IsolatedRuleView,
    JournalEntry,
    PointView,
    SpaceView,
    StepView,
    ValueRow,
    WorkOrderDetail,
    WorkOrderView,
)
from facility.clock import NS_PER_MS, NS_PER_S
from facility.condition_units import quantity_unit
from facility.conditions import LimitSide
from facility.definition import LocalText
from facility.latest import LatestValue
from facility.model import Asset, Facility, Point
from facility.storage.outbox import Topic
from facility.units import display_unit
from gateway.commands.model import Writable, Writables
from gateway.events import ConnectionStatus
from people.journal import journal_of
from people.model import Account
from workorders import repository as workorders
from workorders.model import WorkOrder


def moment(ns: int) -> datetime:
    """Return nanoseconds UTC as a datetime, to the microsecond."""
    return datetime.fromtimestamp(ns // NS_PER_S, UTC).replace(microsecond=ns % NS_PER_S // 1000)


def moment_or_none(ns: int | None) -> datetime | None:
    """Return a moment, or ``None`` for what has not happened."""
    return None if ns is None else moment(ns)


def number_or_none(value: float | None) -> float | None:
    """Return a number that JSON can carry; NaN and infinities become ``None``."""
    return value if value is not None and math.isfinite(value) else None


def account_view(account: Account) -> AccountView:
    """Name someone."""
    return AccountView(id=account.id, login=account.login, name=account.name, role=account.role)


def value_rows(values: Iterable[LatestValue]) -> list[ValueRow]:
    """Return latest values as the rows of snapshot and live channel."""
    return [(v.point, number_or_none(v.value), v.quality, v.source_time_ns // NS_PER_MS) for v in values]


# Facility


def facility_view(facility: Facility, writables: Writables) -> FacilityView:
    """Show the whole site and what may be commanded."""
    points: dict[str, list[Point]] = {asset_id: [] for asset_id in facility.assets}
    for point in facility.points.values():
        points[point.asset_id].append(point)
    return FacilityView(
        site_id=facility.site_id,
        name=facility.name,
        time_zone=facility.time_zone,
        spaces=[SpaceView.model_validate(space) for space in facility.spaces.values()],
        assets=[asset_view(asset, points[asset.id], writables) for asset in facility.assets.values()],
    )


def asset_view(asset: Asset, points: Sequence[Point], writables: Writables) -> AssetView:
    """Show one asset with its points."""
    equipment = asset.equipment_class
    return AssetView(
        id=asset.id,
        name=asset.name,
        class_name=equipment.name,
        class_title=equipment.title,
        system=equipment.system,
        space_id=asset.space_id,
        parent_id=asset.parent_id,
        connection_id=asset.connection_id,
        points=[point_view(point, writables.get(point.key)) for point in points],
    )


def point_view(point: Point, writable: Writable | None) -> PointView:
    """Show one point; a state without words of its own is shown by its name."""
    definition = point.definition
    words = {
        code: definition.state_names.get(name, LocalText(en=name, zh=name)) for name, code in definition.states.items()
    }
    return PointView(
        key=point.key,
        name=point.name,
        title=definition.name,
        kind=definition.kind,
        unit=display_unit(definition.unit),
        overview=definition.overview,
        states=words,
        commandable=None if writable is None else commandable_view(writable),
    )


def commandable_view(writable: Writable) -> CommandableView:
    """Show the limits within which a point may be commanded."""
    return CommandableView(
        low=writable.low,
        high=writable.high,
        codes=sorted(writable.codes),
        roles=sorted(writable.roles),
        longest_s=writable.longest_s,
    )


# Gateway


def isolated_rule_views(facility: Facility, mistakes: Mapping[int, str]) -> Iterator[IsolatedRuleView]:
    """Show the rules that are watched no more; ``mistakes`` says by id what each raised."""
    for rule_id, mistake in mistakes.items():
        rule = facility.rules.get(rule_id)  # a rule that was switched off meanwhile is missed by nobody
        if rule is not None:
            yield IsolatedRuleView(
                rule_id=rule_id,
                asset_id=rule.asset_id,
                asset_name=facility.assets[rule.asset_id].name,
                rule=rule.definition.name,
                title=rule.definition.title,
                mistake=mistake,
            )


def connection_view(status: ConnectionStatus) -> ConnectionView:
    """Show one connection's figures."""
    return ConnectionView(
        id=status.connection_id,
        state=status.state.value,
        detail=status.detail,
        samples=status.samples,
        errors=status.errors,
        dropped=status.dropped,
        last_good_at=moment_or_none(status.last_good_ns or None),
    )


# Alarms


def alarm_views(connection: Connection, facility: Facility, episodes: Sequence[Alarm]) -> list[AlarmView]:
    """Show episodes, each with its order."""
    orders = workorders.order_ids_of_alarms(connection, [episode.id for episode in episodes])
    return [alarm_view(facility, episode, orders.get(episode.id)) for episode in episodes]


def alarm_view(facility: Facility, episode: Alarm, order_id: int | None) -> AlarmView:
    """Show one episode with the words of its rule."""
    site = facility.ever
    rule, asset = site.rules[episode.rule_id], site.assets[episode.asset_id]
    return AlarmView(
        id=episode.id,
        version=episode.version,
        rule=rule.definition.name,
        title=rule.definition.title,
        asset_id=asset.id,
        asset_name=asset.name,
        space_name=site.spaces[asset.space_id].name,
        system=asset.equipment_class.system,
        priority=episode.priority,
        state=episode.state,
        active=episode.active,
        acknowledged=episode.acknowledged,
        life_safety=rule.definition.life_safety,
        reason=episode.reason,
        value=number_or_none(episode.value),
        limit=number_or_none(episode.limit),
        unit=display_unit(quantity_unit(rule.definition.condition, site.points[rule.point_key].definition.unit)),
        explanation=episode.explanation,
        raised_at=moment(episode.raised_at_ns),
        cleared_at=moment_or_none(episode.cleared_at_ns),
        acknowledged_at=moment_or_none(episode.acknowledged_at_ns),
        acknowledged_by=episode.acknowledged_by,
        comment=episode.comment,
        closed_at=moment_or_none(episode.closed_at_ns),
        order_id=order_id,
    )


def alarm_detail(connection: Connection, facility: Facility, alarm_id: int) -> AlarmDetail:
    """Show one episode with what to do about it and what happened so far."""
    [row] = alarm_views(connection, facility, [alarms.alarm(connection, alarm_id)])
    episode = alarms.alarm(connection, alarm_id)
    rule = facility.ever.rules[episode.rule_id]
    definition = rule.definition
    worst = definition.consequence_at(next((side for side in LimitSide if side.value == episode.reason.value), None))
    return AlarmDetail(
        **dict(row),
        point_key=rule.point_key,
        cause=definition.cause,
        consequence=definition.consequence,
        corrective_action=definition.corrective_action,
        consequence_class=worst.consequence_class,
        time_to_respond_min=worst.time_to_respond_min,
        journal=journal_entries(connection, Topic.ALARM, alarm_id),
    )


def journal_entries(connection: Connection, subject: Topic, subject_id: int) -> list[JournalEntry]:
    """Show what happened to an alarm or an order, oldest first."""
    lines = journal_of(connection, subject, subject_id)
    return [
        JournalEntry(at=moment(line.at_ns), transition=line.transition, actor=line.actor, comment=line.comment)
        for line in lines
    ]


# Work orders


def order_views(connection: Connection, facility: Facility, orders: Sequence[WorkOrder]) -> list[WorkOrderView]:
    """Show orders as rows of the list."""
    counts = workorders.alarm_counts(connection, [order.id for order in orders])
    return [order_view(facility, order, counts.get(order.id, 0)) for order in orders]


def order_view(facility: Facility, order: WorkOrder, alarm_count: int) -> WorkOrderView:
    """Show one order with the words of its asset."""
    site = facility.ever
    asset = site.assets[order.asset_id]
    return WorkOrderView(
        id=order.id,
        number=f"WO-{order.id:06d}",
        version=order.version,
        kind=order.kind,
        state=order.state.value,
        title=order.title,
        priority=order.priority,
        asset_id=asset.id,
        asset_name=asset.name,
        space_name=site.spaces[asset.space_id].name,
        system=asset.equipment_class.system,
        life_safety=order.life_safety,
        opened_at=moment(order.opened_at_ns),
        assignee=order.assignee,
        started_at=moment_or_none(order.started_at_ns),
        completed_at=moment_or_none(order.completed_at_ns),
        alarm_count=alarm_count,
    )


def order_detail(connection: Connection, facility: Facility, order_id: int) -> WorkOrderDetail:
    """Show one order with its steps, alarms and journal."""
    order = workorders.work_order(connection, order_id)
    episodes = alarms.alarms_by_id(connection, workorders.alarm_ids_of(connection, order_id))
    return WorkOrderDetail(
        **dict(order_view(facility, order, len(episodes))),
        assignee_id=order.assignee_id,
        steps=step_views(connection, order_id),
        alarms=alarm_views(connection, facility, episodes),
        plan=order.plan,
        source=order.source,
        remark=order.remark,
        journal=journal_entries(connection, Topic.WORK_ORDER, order_id),
    )


def step_views(connection: Connection, order_id: int) -> list[StepView]:
    """Show an order's checklist in its order."""
    return [
        StepView(
            number=step.number,
            text=step.text,
            mandatory=step.mandatory,
            done=step.done,
            done_by=step.done_by,
            done_at=moment_or_none(step.done_at_ns),
        )
        for step in workorders.steps_of(connection, order_id)
    ]
