"""List alarms, look at one, acknowledge, reset."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from alarms import repository, service
from dashboards.access import ServicesDep, ViewerDep, allowed, from_our_page
from dashboards.schemas import Acknowledge, AlarmDetail, AlarmList, AlarmView, Reset
from dashboards.services import Services
from dashboards.spans import MillisOrOpen, ns_or_none
from dashboards.views import alarm_detail, alarm_views
from facility.equipment import System
from facility.model import Facility
from facility.priority import Priority
from facility.storage.database import reading
from people.model import Account, Permission

router = APIRouter(prefix="/api/alarms", tags=["alarms"])


@router.get("")
def list_alarms(
    services: ServicesDep,
    _viewer: ViewerDep,
    *,
    state: Literal["open", "all"] = "open",
    system: System | None = None,
    asset_id: str | None = None,
    priority: Priority | None = None,
    from_ms: MillisOrOpen = None,
    to_ms: MillisOrOpen = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> AlarmList:
    """List alarms, the most urgent and newest first; with times, those that stood at some time in between."""
    with reading(services.database) as connection:
        episodes, total = repository.alarm_page(
            connection,
            open_only=state == "open",
            rule_ids=rule_ids_of(services.facility, system, asset_id),
            priority=priority,
            limit=limit,
            offset=offset,
            start_ns=ns_or_none(from_ms),
            end_ns=ns_or_none(to_ms),
        )
        return AlarmList(alarms=alarm_views(connection, services.facility, episodes), total=total)


def rule_ids_of(facility: Facility, system: System | None, asset_id: str | None) -> frozenset[int] | None:
    """Return the rules that a system or an asset ever had; ``None`` when neither was asked for."""
    if system is None and asset_id is None:
        return None
    site = facility.ever
    return frozenset(
        rule.id
        for rule in site.rules.values()
        if asset_id in (None, rule.asset_id) and system in (None, site.assets[rule.asset_id].equipment_class.system)
    )


@router.get("/{alarm_id}")
def one_alarm(alarm_id: int, services: ServicesDep, _viewer: ViewerDep) -> AlarmDetail:
    """Show one alarm with what to do about it."""
    with reading(services.database) as connection:
        return alarm_detail(connection, services.facility, alarm_id)


@router.post("/{alarm_id}/acknowledge", dependencies=[Depends(from_our_page)])
def acknowledge(
    alarm_id: int,
    command: Acknowledge,
    services: ServicesDep,
    actor: Annotated[Account, Depends(allowed(Permission.ACKNOWLEDGE_ALARM))],
) -> AlarmView:
    """Say that someone has seen it."""
    with services.database.begin() as connection:
        service.acknowledge(
            connection,
            services.facility,
            alarm_id,
            version=command.version,
            comment=command.comment,
            actor=actor,
            now_ns=services.clock.now_ns(),
        )
        view = row_of(connection, services, alarm_id)
    services.hub.wake()
    return view


@router.post("/{alarm_id}/reset", dependencies=[Depends(from_our_page)])
def reset(
    alarm_id: int,
    command: Reset,
    services: ServicesDep,
    actor: Annotated[Account, Depends(allowed(Permission.RESET_ALARM))],
) -> AlarmView:
    """Release a latched alarm that is clear and acknowledged."""
    with services.database.begin() as connection:
        service.reset(
            connection,
            services.facility,
            alarm_id,
            version=command.version,
            actor=actor,
            now_ns=services.clock.now_ns(),
        )
        view = row_of(connection, services, alarm_id)
    services.hub.wake()
    return view


def row_of(connection: Connection, services: Services, alarm_id: int) -> AlarmView:
    """Return one alarm as it stands in this transaction."""
    [view] = alarm_views(connection, services.facility, [repository.alarm(connection, alarm_id)])
    return view
