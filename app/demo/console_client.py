"""A console without a screen: logs in over HTTP, listens on the live channel, and notes when alarms arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from urllib.request import Request, urlopen

import orjson
from websockets.asyncio.client import connect

HTTP_TIMEOUT_S = 10.0


class ConsoleClient:
    """One listener on the live channel."""

    def __init__(self, address: str, on_alarm: Callable[[int], None]) -> None:
        """Take the console's address, such as ``http://127.0.0.1:8080``, and what to tell about each alarm's id."""
        self.listening = asyncio.Event()
        """Set once the live channel is open."""
        self._address = address
        self._on_alarm = on_alarm

    async def run(self, login: str, password: str) -> None:
        """Log in and listen until cancelled."""
        cookie = await asyncio.to_thread(self._log_in, login, password)
        channel = self._address.replace("http", "ws", 1) + "/api/live"
        async with connect(channel, additional_headers={"Cookie": cookie}) as socket:
            self.listening.set()
            async for message in socket:
                self._take(message)

    def _log_in(self, login: str, password: str) -> str:
        body = json.dumps({"login": login, "password": password}).encode()
        headers = {"Content-Type": "application/json", "X-Watchkeeper": "1"}
        request = Request(f"{self._address}/api/session", body, headers)  # noqa: S310  # our own http address
        with urlopen(request, timeout=HTTP_TIMEOUT_S) as answer:  # noqa: S310
            cookie: str = answer.headers["Set-Cookie"].split(";")[0]
            return cookie

    def _take(self, message: str | bytes) -> None:
        content = orjson.loads(message)
        for event in content.get("events", ()):
            if event["topic"] == "alarm":
                self._on_alarm(event["data"]["id"])
