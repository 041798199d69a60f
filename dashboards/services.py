"""Everything the API needs from the running system, handed in once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from dashboards.hub import LiveHub
from facility.clock import Clock
from facility.history.history import History
from facility.latest import LatestValues
from facility.model import Facility
from gateway.events import ConnectionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts that routes reach through ``request.app.state.services``."""

    database: Engine
    facility: Facility
    clock: Clock
    latest: LatestValues
    history: History
    hub: LiveHub
    connections: Mapping[str, ConnectionStatus]
    started_at_ns: int
    session_valid_for_s: float
