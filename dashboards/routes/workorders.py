"""List work orders, look at one, and take it through its life."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from dashboards.access import ServicesDep, ViewerDep, allowed, from_our_page
from dashboards.schemas import Assign, Cancel, Complete, Start, TickStep, WorkOrderDetail, WorkOrderList
from dashboards.services import Services
from dashboards.spans import MillisOrOpen, ns_or_none
from dashboards.views import order_detail, order_views
from facility.storage.database import reading
from people import service as people
from people.model import Account, Permission
from workorders import repository, service

router = APIRouter(prefix="/api/work-orders", tags=["work orders"])

AssignerDep = Annotated[Account, Depends(allowed(Permission.ASSIGN_ORDER))]
ExecutorDep = Annotated[Account, Depends(allowed(Permission.EXECUTE_ORDER))]
CancellerDep = Annotated[Account, Depends(allowed(Permission.CANCEL_ORDER))]


@contextmanager
def changing(services: Services) -> Iterator[tuple[Connection, int]]:
    """Open a unit of work with its time; once it is committed, the live channel hears of it."""
    with services.database.begin() as connection:
        yield connection, services.clock.now_ns()
    services.hub.wake()


def detail_of(services: Services, order_id: int) -> WorkOrderDetail:
    """Show one order as it stands now."""
    with reading(services.database) as connection:
        return order_detail(connection, services.facility, order_id)


@router.get("")
def list_work_orders(
    services: ServicesDep,
    _viewer: ViewerDep,
    *,
    state: Literal["open", "all"] = "open",
    asset_id: str | None = None,
    from_ms: MillisOrOpen = None,
    to_ms: MillisOrOpen = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> WorkOrderList:
    """List orders, the most urgent and oldest first."""
    with reading(services.database) as connection:
        orders, total = repository.work_order_page(
            connection,
            open_only=state == "open",
            asset_id=asset_id,
            limit=limit,
            offset=offset,
            start_ns=ns_or_none(from_ms),
            end_ns=ns_or_none(to_ms),
        )
        return WorkOrderList(work_orders=order_views(connection, services.facility, orders), total=total)


@router.get("/{order_id}")
def one_work_order(order_id: int, services: ServicesDep, _viewer: ViewerDep) -> WorkOrderDetail:
    """Show one order with its steps, alarms and journal."""
    return detail_of(services, order_id)


@router.post("/{order_id}/assign", dependencies=[Depends(from_our_page)])
def assign(order_id: int, command: Assign, services: ServicesDep, actor: AssignerDep) -> WorkOrderDetail:
    """Give the order to someone who may execute orders."""
    with changing(services) as (connection, now_ns):
        assignee = people.account(connection, command.assignee_id)
        service.assign(
            connection,
            services.facility,
            order_id,
            version=command.version,
            assignee=assignee,
            actor=actor,
            now_ns=now_ns,
        )
    return detail_of(services, order_id)


@router.post("/{order_id}/start", dependencies=[Depends(from_our_page)])
def start(order_id: int, command: Start, services: ServicesDep, actor: ExecutorDep) -> WorkOrderDetail:
    """Begin the work."""
    with changing(services) as (connection, now_ns):
        service.start(connection, services.facility, order_id, version=command.version, actor=actor, now_ns=now_ns)
    return detail_of(services, order_id)


@router.post("/{order_id}/steps/{number}", dependencies=[Depends(from_our_page)])
def tick_step(
    order_id: int, number: int, command: TickStep, services: ServicesDep, actor: ExecutorDep
) -> WorkOrderDetail:
    """Mark one step done or not done."""
    with changing(services) as (connection, now_ns):
        service.tick_step(
            connection,
            services.facility,
            order_id,
            version=command.version,
            number=number,
            done=command.done,
            actor=actor,
            now_ns=now_ns,
        )
    return detail_of(services, order_id)


@router.post("/{order_id}/complete", dependencies=[Depends(from_our_page)])
def complete(order_id: int, command: Complete, services: ServicesDep, actor: ExecutorDep) -> WorkOrderDetail:
    """Finish the work."""
    with changing(services) as (connection, now_ns):
        service.complete(
            connection,
            services.facility,
            order_id,
            version=command.version,
            remark=command.remark,
            override_reason=command.override_reason,
            actor=actor,
            now_ns=now_ns,
        )
    return detail_of(services, order_id)


@router.post("/{order_id}/cancel", dependencies=[Depends(from_our_page)])
def cancel(order_id: int, command: Cancel, services: ServicesDep, actor: CancellerDep) -> WorkOrderDetail:
    """Call it off, with a reason."""
    with changing(services) as (connection, now_ns):
        service.cancel(
            connection,
            services.facility,
            order_id,
            version=command.version,
            reason=command.reason,
            actor=actor,
            now_ns=now_ns,
        )
    return detail_of(services, order_id)
