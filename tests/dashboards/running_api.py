"""A real API server over a small facility, whose engine the test steps by hand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from sqlalchemy import Engine

from app.engine import Commit, EngineThread
from app.history_thread import HistoryThread
from app.system import ApiServer, listening_socket
from dashboards.api import create_app
from dashboards.hub import LiveHub
from dashboards.services import Services
from facility.clock import NS_PER_S, VirtualClock
from facility.history.duckdb_history import DuckDbHistory
from facility.latest import LatestValues
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.storage.database import metadata, open_database
from gateway.events import ConnectionStatus, Delivery, GatewayStatus
from gateway.inbox import Inbox
from people.model import Account, Role
from people.service import create_account
from rules.engine import RuleEngine
from tests.facilities import small_facility

START_NS = 1_800_000_000 * NS_PER_S
PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningApi:
    """A server that answers on ``address``."""

    address: str
    database: Engine
    facility: Facility
    clock: VirtualClock
    engine: EngineThread
    history: HistoryThread
    connections: dict[str, ConnectionStatus]
    """What the drivers would write."""
    gateways: dict[str, GatewayStatus]
    """What gateways that run apart would report."""
    accounts: dict[Role, Account]
    services: Services

    def samples(self, *values: tuple[str, float]) -> None:
        """Let samples of points named ``asset/point`` take the whole way to the commit."""
        keys = {point.address: point.key for point in self.facility.points.values()}
        now_ns = self.clock.now_ns()
        rows = [Sample(keys[address], now_ns, now_ns, value, Quality.GOOD) for address, value in values]
        self.engine.step([Delivery(connection_id="wire", batch=SampleBatch.of(rows))])

    @contextmanager
    def client(self, role: Role | None) -> Iterator[httpx.Client]:
        """Give a client that is logged in as someone of that role, or not at all."""
        with httpx.Client(base_url=self.address, headers={"X-Watchkeeper": "1"}) as client:
            if role is not None:
                answer = client.post("/api/session", json={"login": role.value, "password": PASSWORD})
                assert answer.status_code == 200, answer.text
            yield client


@contextmanager
def running_api(folder: Path, *, metrics_token: str = "", facility: Facility | None = None) -> Iterator[RunningApi]:
    """Run the server in a thread until the block ends, over the small facility unless another is given."""
    database = open_database(f"sqlite:///{folder / 'api.db'}")
    metadata.create_all(database)
    facility, clock = facility or small_facility(), VirtualClock(START_NS)
    with database.begin() as connection:
        accounts = {
            role: create_account(
                connection, login=role.value, name=role.value.title(), role=role, password=PASSWORD, now_ns=START_NS
            )
            for role in (Role.OPERATOR, Role.SUPERVISOR, Role.ENGINEER, Role.TECHNICIAN)
        }
    history = DuckDbHistory(folder / "history.duckdb")
    keeper, inbox = HistoryThread(history), Inbox()
    latest = LatestValues(max(facility.points))
    hub = LiveHub(database, facility, latest, clock)

    def committed(_commit: Commit) -> None:
        hub.wake()

    engine = EngineThread(
        database=database,
        facility=facility,
        rules=RuleEngine(facility, now_ns=START_NS),
        inbox=inbox,
        history=keeper,
        latest=latest,
        clock=clock,
        on_commit=committed,
    )
    connections = {"wire": ConnectionStatus(connection_id="wire")}
    gateways: dict[str, GatewayStatus] = {}
    services = Services(
        database=database,
        facility=facility,
        clock=clock,
        latest=latest,
        history=history,
        hub=hub,
        connections=connections,
        started_at_ns=START_NS,
        session_valid_for_s=3600.0,
        queues={"inbox": inbox, "history": keeper},
        gateways=gateways,
        metrics_token=metrics_token,
        isolated_rules=lambda: engine.rules.isolated,
    )
    with listening_socket("127.0.0.1", 0) as listener, serving(services, listener) as address:
        yield RunningApi(
            address=address,
            database=database,
            facility=facility,
            clock=clock,
            engine=engine,
            history=keeper,
            connections=connections,
            gateways=gateways,
            accounts=accounts,
            services=services,
        )
    history.close()
    database.dispose()


@contextmanager
def serving(services: Services, listener: socket.socket) -> Iterator[str]:
    """Serve in a thread of its own."""
    config = uvicorn.Config(create_app(services), log_config=None, ws="websockets-sansio", lifespan="on")
    server = ApiServer(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        thread.join()
