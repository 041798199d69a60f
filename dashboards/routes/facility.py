"""The site, its values and how the system itself is."""

from __future__ import annotations

from fastapi import APIRouter

from alarms import repository as alarms
from dashboards.access import ServicesDep, ViewerDep
from dashboards.command_views import command_view
from dashboards.schemas import FacilityView, LimitView, Snapshot, StatusView
from dashboards.views import (
    alarm_views,
    connection_view,
    facility_view,
    isolated_rule_views,
    moment,
    order_views,
    value_rows,
)
from facility.conditions import Threshold
from facility.errors import NotFoundError
from facility.storage.database import reading
from facility.storage.outbox import last_seq
from gateway.commands import repository as commands
from workorders import repository as workorders

router = APIRouter(prefix="/api", tags=["facility"])


@router.get("/facility")
def facility(services: ServicesDep, _viewer: ViewerDep) -> FacilityView:
    """Show the whole site with every asset and point."""
    return facility_view(services.facility, services.writables)


@router.get("/snapshot")
def snapshot(services: ServicesDep, _viewer: ViewerDep) -> Snapshot:
    """Show everything that the live channel keeps up to date, as of one instant."""
    with reading(services.database) as connection:
        return Snapshot(
            epoch=services.hub.epoch,
            seq=last_seq(connection),
            alarms=alarm_views(connection, services.facility, alarms.open_alarms(connection)),
            work_orders=order_views(connection, services.facility, workorders.open_work_orders(connection)),
            commands=[command_view(command) for command in commands.living(connection)],
            values=value_rows(services.latest.changed_since(0)[1]),
        )


@router.get("/points/{key}/limits")
def point_limits(key: int, services: ServicesDep, _viewer: ViewerDep) -> list[LimitView]:
    """List the limits that rules hold a point against."""
    require_point(services, key)
    rules = [rule.definition for rule in services.facility.rules.values() if rule.point_key == key]
    return [
        LimitView(side=side, value=limit.value, priority=limit.priority or rule.priority)
        for rule in rules
        if isinstance(rule.condition, Threshold)
        for side, limit in rule.condition.limits.items()
    ]


def require_point(services: ServicesDep, key: int) -> None:
    """Refuse a key that no point ever had; the samples of a retired one are kept.

    Raises:
        NotFoundError: No such point.
    """
    if key not in services.facility.ever.points:
        raise NotFoundError(f"There is no point {key}. GET /api/facility lists all points with their keys.")


@router.get("/status")
def status(services: ServicesDep, _viewer: ViewerDep) -> StatusView:
    """Show how the gateway's connections and the system itself are."""
    return StatusView(
        now=moment(services.clock.now_ns()),
        started_at=moment(services.started_at_ns),
        points=len(services.facility.points),
        rules=len(services.facility.rules),
        samples=services.latest.samples,
        connections=[connection_view(connection) for connection in services.connections.values()],
        isolated=list(isolated_rule_views(services.facility, services.isolated_rules())),
    )
