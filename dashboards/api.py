"""The HTTP and WebSocket API and the console, as one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response

from dashboards.metrics import registry_of
from dashboards.problems import add_problem_handlers
from dashboards.recent import NOTE_PERIOD_S, Recent
from dashboards.routes import (
    alarms,
    backtests,
    commands,
    facility,
    gateway,
    history,
    live,
    metrics,
    rule_changes,
    rule_files,
    rules,
    session,
    site,
    workorders,
)
from dashboards.schemas import Problem
from dashboards.services import Services

CONSOLE = Path(__file__).parent / "static"
"""The built console; absent where the package was built without it."""


def create_app(services: Services) -> FastAPI:
    """Return the application over a running system."""
    recent = Recent()

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(job) for job in (services.hub.run(), services.loop_lag.run(), note(recent, services))
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(
        title="Watchkeeper",
        version="1",
        lifespan=lifespan,
        responses={"4XX": {"model": Problem, "content": {"application/problem+json": {}}}},
    )
    app.state.services = services
    app.state.recent = recent
    app.state.metrics = registry_of(services)
    add_problem_handlers(app)
    for part in (
        session,
        facility,
        history,
        site,
        rule_files,  # before rules: 'export' is no number of one
        rules,
        rule_changes,
        alarms,
        workorders,
        commands,
        backtests,
        gateway,
        metrics,
        live,
    ):
        app.include_router(part.router)
    add_console(app, CONSOLE)
    return app


async def note(recent: Recent, services: Services) -> None:
    """Write down how far the gateway's counters are, until cancelled."""
    while True:
        recent.note(services.connections.values(), time.monotonic())
        await asyncio.sleep(NOTE_PERIOD_S)


class HashedFiles(StaticFiles):
    """Files whose names change with their content, so a browser may keep them for ever."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401  # Starlette's own signature
        """Return the file, marked as immutable."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def add_console(app: FastAPI, folder: Path) -> None:
    """Serve the console's files; its own routes all begin at the same page."""
    if not (folder / "index.html").exists():
        return
    app.mount("/assets", HashedFiles(directory=folder / "assets"))

    @app.get("/{path:path}", include_in_schema=False)
    def console(path: str) -> FileResponse:
        if path.startswith("api/"):
            raise HTTPException(404, "Not found")
        file = folder / path
        inside = file.resolve().is_relative_to(folder.resolve())
        found = file if inside and file.is_file() else folder / "index.html"
        return FileResponse(found, headers={"Cache-Control": "no-cache"})  # so that an update is seen at once
