"""How the gateway is: every connection with its devices, what is down first."""

from __future__ import annotations

import time
from typing import Final

from fastapi import APIRouter, Request

from dashboards.access import ServicesDep, ViewerDep
from dashboards.recent import Recent, quantile_s
from dashboards.schemas import GatewayConnectionView, GatewayView, QueueView, RemoteGatewayView, UnitView
from dashboards.services import Services
from dashboards.views import connection_view, moment, moment_or_none
from facility.definition import LocalText
from facility.model import Connection
from gateway.events import ConnectionState, ConnectionStatus, GatewayStatus, UnitStatus

router = APIRouter(prefix="/api", tags=["gateway"])

URGENCY: Final = {ConnectionState.DOWN: 0, ConnectionState.CONNECTING: 1, ConnectionState.UP: 2}
"""What people must see first."""

MS_PER_S: Final = 1000.0


@router.get("/gateway")
def gateway(request: Request, services: ServicesDep, _viewer: ViewerDep) -> GatewayView:
    """Show every connection with its devices; those that are down come first, then those with devices that are."""
    recent: Recent = request.app.state.recent
    now_s = time.monotonic()
    statuses = sorted(services.connections.values(), key=urgency)
    lag = services.loop_lag.figures()
    return GatewayView(
        now=moment(services.clock.now_ns()),
        connections=[gateway_connection_view(services, recent, status, now_s) for status in statuses],
        gateways=[
            remote_gateway_view(status)
            for status in sorted(services.gateways.values(), key=lambda each: (each.is_present, each.gateway_id))
        ],
        queues=[
            QueueView(name=name, waiting=queue.waiting, dropped=queue.dropped)
            for name, queue in services.queues.items()
        ],
        loop_lag_p99_ms=lag.p99_s * MS_PER_S,
        loop_lag_worst_ms=lag.worst_s * MS_PER_S,
    )


def urgency(status: ConnectionStatus) -> tuple[int, int, str]:
    """Return the place of a connection in the list."""
    units = [URGENCY[unit.state] for unit in list(status.units.values())]
    return URGENCY[status.state], min(units, default=URGENCY[ConnectionState.UP]), status.connection_id


def gateway_connection_view(
    services: Services, recent: Recent, status: ConnectionStatus, now_s: float
) -> GatewayConnectionView:
    """Show one connection with its devices."""
    connection = services.facility.connections.get(status.connection_id)
    units = sorted(status.units.values(), key=lambda unit: (URGENCY[unit.state], unit.asset_id))
    return GatewayConnectionView(
        **dict(connection_view(status)),
        protocol="" if connection is None else connection.protocol.value,
        endpoint=endpoint_of(connection),
        samples_per_s=round(recent.samples_per_s(status, now_s), 1),
        duplicates=status.duplicates,
        units=[unit_view(services, recent, status.connection_id, unit) for unit in units],
    )


def endpoint_of(connection: Connection | None) -> str:
    """Return where a connection leads: an address, or a serial port of this machine."""
    if connection is None:
        return ""
    return f"{connection.host}:{connection.port}" if connection.host else str(connection.options.get("serial", ""))


def unit_view(services: Services, recent: Recent, connection_id: str, unit: UnitStatus) -> UnitView:
    """Show one device; how fast it answers is of the last minute."""
    asset = services.facility.ever.assets.get(unit.asset_id)
    answers = recent.answers(connection_id, unit)
    return UnitView(
        asset_id=unit.asset_id,
        name=LocalText(en=unit.asset_id, zh=unit.asset_id) if asset is None else asset.name,
        state=unit.state.value,
        detail=unit.detail,
        requests=unit.requests,
        timeouts=unit.timeouts,
        refusals=unit.refusals,
        overruns=unit.overruns,
        openings=unit.openings,
        last_good_at=moment_or_none(unit.last_good_ns or None),
        latency_p50_ms=in_ms(quantile_s(answers, 0.5)),
        latency_p99_ms=in_ms(quantile_s(answers, 0.99)),
    )


def remote_gateway_view(status: GatewayStatus) -> RemoteGatewayView:
    """Show one gateway that runs apart."""
    return RemoteGatewayView(
        id=status.gateway_id,
        present=status.is_present,
        detail=status.detail,
        reported_at=moment_or_none(status.reported_ns or None),
        waiting=status.waiting_by_lane,
        oldest_at=moment_or_none(status.oldest_ns or None),
        dropped=status.dropped_by_lane,
    )


def in_ms(seconds: float | None) -> float | None:
    """Return milliseconds to the tenth."""
    return None if seconds is None else round(seconds * MS_PER_S, 1)
