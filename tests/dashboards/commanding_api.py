"""A real API server whose pump and door may be commanded, with the plant that a test makes obey or not."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from gateway.commands.commander import Commander
from tests.dashboards.running_api import RunningApi, running_api
from tests.gateway.commanded import Plant, commanded_facility, store_site, writables_of


@contextlib.contextmanager
def commanding_api(folder: Path, plant: Plant) -> Iterator[RunningApi]:
    """Run the server, and in another thread whoever carries commands out, until the block ends."""
    facility = commanded_facility()
    with running_api(folder, facility=facility) as api:
        store_site(api.database, facility)
        api.services.writables = writables_of(facility)
        api.services.commander = Commander(
            database=api.database,
            devices=plant,
            site=api.services.command_site,
            clock=api.clock,
            on_change=api.services.hub.wake,
        )
        with _at_work(api.services.commander):
            yield api


@contextlib.contextmanager
def _at_work(commander: Commander) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    task = loop.create_task(commander.run())

    def work() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
