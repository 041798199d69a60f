"""The live channel's heart: reads the outbox, keeps the last events in a ring, and fans them out to every client."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import orjson
from sqlalchemy import Connection, Engine

from alarms import repository as alarms
from dashboards.command_views import command_view
from dashboards.rule_views import rule_change_view
from dashboards.views import alarm_views, moment, order_views, value_rows
from facility.clock import Clock
from facility.latest import LatestValues
from facility.model import Facility
from facility.storage.database import reading
from facility.storage.outbox import Announcement, Topic, announcements_after, last_seq
from gateway.commands import repository as commands
from rules.changes import repository as rule_changes
from workorders import repository as workorders

T = TypeVar("T")

RING_EVENTS = 5_000
"""How far back a client can resume without a snapshot."""
QUEUE_MESSAGES = 256
"""Messages that one client may lag behind before it is told to take a snapshot."""
VALUES_PERIOD_S = 0.25
HEARTBEAT_PERIOD_S = 5.0
OUTBOX_PERIOD_S = 1.0
"""How often the outbox is read without being woken: other processes may write to it, too."""


@dataclass(slots=True, eq=False)
class Client:
    """One browser tab."""

    messages: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(QUEUE_MESSAGES))
    overflowed: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, message: bytes) -> None:
        """Queue a message, or mark the client as too slow."""
        try:
            self.messages.put_nowait(message)
        except asyncio.QueueFull:
            self.overflowed.set()


class LiveHub:
    """Tails the outbox and the latest values; belongs to one event loop, woken from any thread."""

    def __init__(self, database: Engine, facility: Facility, latest: LatestValues, clock: Clock) -> None:
        self.epoch = secrets.token_hex(8)
        """Names this ring; changes with every start."""
        self.seq = 0
        """Of the newest event told."""
        self._database = database
        self._facility = facility
        self._latest = latest
        self._clock = clock
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=RING_EVENTS)
        self._floor = 0
        self._clients: set[Client] = set()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self) -> None:
        """Say, from any thread, that something was committed."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._news.set)

    def take_facility(self, facility: Facility) -> None:
        """Go on with another facility."""
        self._facility = facility

    def tell_facility(self) -> None:
        """Tell every client, from any thread, to look at the site again."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._broadcast, orjson.dumps({"type": "facility"}))

    async def run(self) -> None:
        """Tell clients what changes until cancelled."""
        self._loop = asyncio.get_running_loop()
        self.seq = self._floor = await asyncio.to_thread(self._read, last_seq)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell_events())
            tasks.create_task(self._tell_values())
            tasks.create_task(self._tell_heartbeats())

    def join(self, client: Client, *, epoch: str | None, since: int | None) -> None:
        """Greet a client and send what it missed, if the ring still holds all of it."""
        resumed = epoch == self.epoch and since is not None and self._floor <= since <= self.seq
        hello = {"type": "hello", "epoch": self.epoch, "seq": self.seq, "resumed": resumed, "now": self._now()}
        client.send(orjson.dumps(hello))
        if resumed and since is not None:
            missed = [event for seq, event in self._ring if seq > since]
            if missed:
                client.send(events_message(missed))
        self._clients.add(client)

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self._clients.discard(client)

    def _read(self, query: Callable[[Connection], T]) -> T:
        with reading(self._database) as connection:
            return query(connection)

    async def _tell_events(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OUTBOX_PERIOD_S):
                    await self._news.wait()
            self._news.clear()
            while await self._tell_next_events():
                pass

    async def _tell_next_events(self) -> bool:
        """Tell one page of the outbox; False when there was nothing new."""
        seq, events = await asyncio.to_thread(self._read, self._changes)
        if events:
            self._remember(events)
            self.seq = seq
            self._broadcast(events_message([event for _, event in events]))
        return bool(events)

    def _changes(self, connection: Connection) -> tuple[int, list[tuple[int, bytes]]]:
        """Return the newest position and one serialised event per changed thing, in order of its last change."""
        news = announcements_after(connection, self.seq)
        last = {(item.topic, item.entity_id): item for item in news}
        chosen = sorted(last.values())
        views = self._views(connection, chosen)
        seq = news[-1].seq if news else self.seq
        return seq, [(item.seq, views[item.topic, item.entity_id]) for item in chosen]

    def _views(self, connection: Connection, items: Sequence[Announcement]) -> dict[tuple[Topic, int], bytes]:
        alarm_ids = [item.entity_id for item in items if item.topic is Topic.ALARM]
        order_ids = [item.entity_id for item in items if item.topic is Topic.WORK_ORDER]
        command_ids = [item.entity_id for item in items if item.topic is Topic.COMMAND]
        change_ids = [item.entity_id for item in items if item.topic is Topic.RULE_CHANGE]
        seqs = {(item.topic, item.entity_id): item.seq for item in items}
        episodes = alarm_views(connection, self._facility, alarms.alarms_by_id(connection, alarm_ids))
        orders = order_views(connection, self._facility, workorders.work_orders_by_id(connection, order_ids))
        told = commands.commands_by_id(connection, command_ids)
        changes = rule_changes.changes_by_id(connection, change_ids)
        data = {(Topic.ALARM, view.id): view.model_dump_json() for view in episodes}
        data |= {(Topic.WORK_ORDER, view.id): view.model_dump_json() for view in orders}
        data |= {(Topic.COMMAND, each.id): command_view(each).model_dump_json() for each in told}
        data |= {(Topic.RULE_CHANGE, each.id): rule_change_view(each).model_dump_json() for each in changes}
        return {key: event_json(seqs[key], key[0], json) for key, json in data.items()}

    def _remember(self, events: Sequence[tuple[int, bytes]]) -> None:
        for event in events:
            if len(self._ring) == RING_EVENTS:
                self._floor = self._ring[0][0]
            self._ring.append(event)

    async def _tell_values(self) -> None:
        version, _ = self._latest.changed_since(0)
        while True:
            await asyncio.sleep(VALUES_PERIOD_S)
            version, values = self._latest.changed_since(version)
            if values and self._clients:
                self._broadcast(orjson.dumps({"type": "values", "values": value_rows(values)}))

    async def _tell_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_PERIOD_S)
            self._broadcast(orjson.dumps({"type": "heartbeat", "seq": self.seq, "now": self._now()}))

    def _now(self) -> datetime:
        return moment(self._clock.now_ns())

    def _broadcast(self, message: bytes) -> None:
        for client in self._clients:
            client.send(message)


def event_json(seq: int, topic: Topic, data: str) -> bytes:
    """Return one event, around a view that is already JSON."""
    return b'{"seq":%d,"topic":"%s","data":%s}' % (seq, topic.value.encode(), data.encode())


def events_message(events: Sequence[bytes]) -> bytes:
    """Return one message of several events."""
    return b'{"type":"events","events":[' + b",".join(events) + b"]}"
