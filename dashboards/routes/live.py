"""The WebSocket: greets, then sends what the hub tells, and never reads a command."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from dashboards.access import SESSION_COOKIE
from dashboards.hub import Client
from dashboards.services import Services
from facility.errors import UnauthenticatedError
from facility.storage.database import reading
from people.service import account_of_token

router = APIRouter()

CLOSE_UNAUTHENTICATED = 4401
CLOSE_TOO_SLOW = 4001


@router.websocket("/api/live")
async def live(socket: WebSocket, epoch: str | None = None, since: int | None = None) -> None:
    """Send what changes until either side goes."""
    services: Services = socket.app.state.services
    await socket.accept()
    if not (from_own_origin(socket) and await asyncio.to_thread(logged_in, services, socket)):
        await socket.close(CLOSE_UNAUTHENTICATED, "Log in first")
        return
    client = Client()
    services.hub.join(client, epoch=epoch, since=since)
    try:
        await serve(socket, client)
    finally:
        services.hub.leave(client)


def from_own_origin(socket: WebSocket) -> bool:
    """Tell whether the page that opens the socket came from this server; programs send no origin at all."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")


def logged_in(services: Services, socket: WebSocket) -> bool:
    """Tell whether the socket carries a living session."""
    token = socket.cookies.get(SESSION_COOKIE)
    if token is None:
        return False
    try:
        with reading(services.database) as connection:
            account_of_token(connection, token, now_ns=services.clock.now_ns())
    except UnauthenticatedError:
        return False
    return True


async def serve(socket: WebSocket, client: Client) -> None:
    """Run until the client leaves or falls behind."""
    jobs = {asyncio.create_task(job) for job in (send(socket, client), listen(socket), client.overflowed.wait())}
    try:
        await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        if client.overflowed.is_set():
            await socket.close(CLOSE_TOO_SLOW, "Too slow: take a snapshot")
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def send(socket: WebSocket, client: Client) -> None:
    """Pass on the hub's messages."""
    while True:
        message = await client.messages.get()
        await socket.send_text(message.decode())


async def listen(socket: WebSocket) -> None:
    """Notice that the client left; what it says is ignored, for commands go over REST."""
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return
