"""The live channel, with real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from people.model import Role
from tests.dashboards.running_api import RunningApi, running_api

PATIENCE_S = 60.0


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as server:
        yield server


@asynccontextmanager
async def listening(
    api: RunningApi, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[ClientConnection]:
    with api.client(Role.OPERATOR) as client:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    address = api.address.replace("http", "ws", 1) + "/api/live" + query
    async with connect(address, additional_headers={"Cookie": cookie, **(headers or {})}) as socket:
        yield socket


async def next_message(socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the next message that fits; others are passed over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message: dict[str, Any] = orjson.loads(await socket.recv())
            if wanted(message):
                return message


def of_type(kind: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: message["type"] == kind


async def one_of_each(socket: ClientConnection, *kinds: str) -> dict[str, dict[str, Any]]:
    """Return the first message of each type, in whatever order they come."""
    found: dict[str, dict[str, Any]] = {}
    while len(found) < len(kinds):
        message = await next_message(socket, lambda each: each["type"] in kinds and each["type"] not in found)
        found[message["type"]] = message
    return found


async def smoke(api: RunningApi, value: float) -> None:
    await asyncio.to_thread(api.samples, ("detector-101/alarm", value))


async def test_an_alarm_and_its_order_arrive_without_asking(api: RunningApi) -> None:
    async with listening(api) as socket:
        hello = await next_message(socket, of_type("hello"))
        await smoke(api, 1.0)
        told = await one_of_each(socket, "events", "values")  # values are told as they come, events after the commit
        events = told["events"]["events"]
        assert [event["topic"] for event in events] == ["alarm", "work_order"]
        assert events[0]["data"]["order_id"] == events[1]["data"]["id"]
        assert all(event["seq"] > hello["seq"] for event in events)
        assert told["values"]["values"][0][1] == 1.0


async def test_a_client_that_was_away_gets_exactly_what_it_missed(api: RunningApi) -> None:
    async with listening(api) as socket:
        hello = await next_message(socket, of_type("hello"))
        await smoke(api, 1.0)
        seen = (await next_message(socket, of_type("events")))["events"]
    await smoke(api, 0.0)
    async with listening(api, f"?epoch={hello['epoch']}&since={seen[-1]['seq']}") as socket:
        assert (await next_message(socket, of_type("hello")))["resumed"]
        missed = (await next_message(socket, of_type("events")))["events"]
    assert all(event["seq"] > seen[-1]["seq"] for event in missed)
    assert missed[-1]["data"]["active"] is False


async def test_a_client_of_another_epoch_is_told_to_take_a_snapshot(api: RunningApi) -> None:
    async with listening(api, "?epoch=of-yesterday&since=0") as socket:
        assert not (await next_message(socket, of_type("hello")))["resumed"]


async def test_the_channel_closes_on_strangers_and_on_other_sites_pages(api: RunningApi) -> None:
    address = api.address.replace("http", "ws", 1) + "/api/live"
    async with connect(address) as stranger:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(stranger.recv(), PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
    async with listening(api, headers={"Origin": "http://elsewhere.example"}) as page:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(page.recv(), PATIENCE_S)
