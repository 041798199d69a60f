"""The command ``run``: one process that serves until it is told to stop."""

from __future__ import annotations

import asyncio

import structlog

from app.roles import RoleName, source_of
from app.system import listening_socket, open_system, serve
from facility.clock import Clock
from facility.settings import Settings
from facility.storage.database import reading
from people.service import accounts

log = structlog.get_logger(__name__)


async def run_server(settings: Settings, clock: Clock, stop: asyncio.Event, *, role: RoleName = RoleName.ALL) -> None:
    """Serve until ``stop`` is set.

    Raises:
        ConfigurationError: The site file or a profile has mistakes.
        PortTakenError: Another program holds the console's port.
        EngineFailedError: The engine ended by itself.
    """
    with (
        open_system(settings, clock=clock, open_source=source_of(role, settings)) as system,
        listening_socket(settings.host, settings.port) as listener,
    ):
        with reading(system.database) as connection:
            if not accounts(connection):
                log.warning("nobody can log in yet; run: watchkeeper account add --login … --name … --role supervisor")
        host, port = listener.getsockname()[:2]
        print(f"Watchkeeper serves {system.facility.site_id} on http://{host}:{port}", flush=True)  # noqa: T201
        await serve(system, listener, stop)
