"""The protocol between sender and receiver on a network that loses, repeats and forgets whatever it likes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from enum import Enum
from operator import methodcaller
from pathlib import Path

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from facility.samples import SampleBatch
from gateway.bus import frame
from gateway.bus.receiver import Receiver
from gateway.bus.topics import Topics
from gateway.events import Delivery
from gateway.spool.body import encode
from gateway.spool.intervals import Interval
from gateway.spool.lanes import Lane
from gateway.spool.sender import Sender, Way
from gateway.spool.spool import Limits, NewRecord, Spool
from tests.gateway.bus_ends import BEARING, FACILITY, SMOKE, START_NS, address

WINDOWS = {Way.LIFE_SAFETY: 4, Way.STATE: 4, Way.LIVE: 4, Way.BACKLOG: 2}
TOPICS = Topics("model")
POINTS = {Lane.LIFE_SAFETY: SMOKE, Lane.STATE: SMOKE + 1, Lane.TELEMETRY: BEARING}


class Fate(Enum):
    """How often a frame arrives."""

    IS_LOST = 0
    ARRIVES = 1
    COMES_TWICE = 2


class NetworkThatLoses:
    """Records are numbered by their value; what is committed is what an engine acknowledged to itself, told or not."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.spool = Spool(self.folder / "spool.db", Limits(size=10**9, age_s=1e9))
        self.now_ns = START_NS
        self.put_count = 0
        self.streams = 0
        self.lane_of: dict[int, Lane] = {}
        self.committed: set[int] = set()
        self.wire: list[bytes] = []
        self.told: list[list[list[int]]] = []
        self.start_stream()
        self.start_engine()

    def start_stream(self) -> None:
        self.streams += 1
        self.sender = Sender(self.spool, stream=self.streams, now_s=0.0, windows=WINDOWS)

    def start_engine(self) -> None:
        self.delivered: list[int] = []
        self.late: list[int] = []
        self.uncommitted: list[Delivery] = []
        self.committed_before = set(self.committed)
        self.receiver = Receiver(
            address=address(1), topics=TOPICS, facility=FACILITY, configuration=b"", deliver=self.deliver
        )
        self.receiver._client.publish = self.published  # type: ignore[method-assign]  # the network is the model's

    def deliver(self, delivery: Delivery) -> None:
        self.delivered += map(int, delivery.batch.value.tolist())
        if delivery.late is not None:
            self.late += map(int, delivery.late.value.tolist())
        self.uncommitted.append(delivery)

    def published(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        assert not retain
        if topic.endswith("/acknowledged"):
            self.told.append(orjson.loads(payload)["done"])
        elif orjson.loads(payload)["stream"] == self.sender.stream:
            self.start_stream()
        return True

    def read_devices(self, lanes: Iterable[Lane]) -> None:
        for lane in lanes:
            value = np.array([float(self.put_count)])
            times = np.array([self.now_ns])
            batch = SampleBatch(np.array([POINTS[lane]], np.int32), times, times, value, np.zeros(1, np.uint8))
            self.spool.write([NewRecord(lane, 1, encode(batch))], now_ns=self.now_ns)
            self.lane_of[self.put_count] = lane
            self.put_count += 1
        self.send()

    def time_passes(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)

    def send(self) -> None:
        self.wire += [frame.encode(each) for each in self.sender.due(now_ns=self.now_ns, now_s=0.0)]

    def the_network_carries_frames(self, fates: list[Fate]) -> None:
        for fate in fates[: len(self.wire)]:
            payload = self.wire.pop(0)
            for _ in range(fate.value):
                self.receive(payload)

    def receive(self, payload: bytes) -> None:
        for spool in self.receiver._spools.values():
            spool.asked_s = -10.0  # it may ask again at once
        self.receiver.on_message(TOPICS.of_gateway("g", "telemetry"), payload)

    def the_engine_commits(self, count: int) -> None:
        for delivery in self.uncommitted[:count]:
            values = [delivery.batch.value, *([delivery.late.value] if delivery.late is not None else [])]
            self.committed |= {int(value) for column in values for value in column.tolist()}
            assert delivery.acknowledge is not None
            delivery.acknowledge()
        del self.uncommitted[:count]

    def the_engine_tells(self, *, lost: bool) -> None:
        self.receiver._tell_gateways()
        if not lost:
            self.hear()
        self.told.clear()

    def hear(self) -> None:
        done = [Interval(*pair) for said in self.told for pair in said]
        self.sender.acknowledged(done, 0.0)
        self.spool.write(done=done, now_ns=self.now_ns)

    def the_gateway_reconnects_or_loses_patience(self) -> None:
        self.start_stream()

    def the_engine_is_killed(self) -> None:
        self.start_engine()
        self.wire.clear()
        self.start_stream()  # the new engine says that it is there

    def what_left_the_spool_is_committed(self) -> None:
        held = {record.seq - 1 for lane in Lane for record in self.spool.page(lane, after=0, count=10_000)}
        assert set(range(self.put_count)) - held <= self.committed

    def changes_come_once_in_order_and_without_a_gap(self) -> None:
        for lane in (Lane.LIFE_SAFETY, Lane.STATE):
            came = [value for value in self.delivered if self.lane_of[value] is lane]
            assert came == sorted(set(came))
            missing = {value for value in range(max(came, default=0)) if self.lane_of[value] is lane} - set(came)
            assert missing <= self.committed_before

    def nothing_is_taken_twice_and_what_is_late_is_telemetry(self) -> None:
        everything = [*self.delivered, *self.late]
        assert len(everything) == len(set(everything))
        assert all(self.lane_of[value] is Lane.TELEMETRY for value in self.late)

    def no_more_is_under_way_than_the_windows_allow(self) -> None:
        assert all(self.sender._filled[way] <= WINDOWS[way] for way in Way)

    def heal(self) -> None:
        """Heal the network: now everything must arrive."""
        for _ in range(2 * self.put_count + 4):
            if self.committed == set(range(self.put_count)) and not self.spool.figures.size:
                break
            self.start_stream()
            self.send()
            self.the_network_carries_frames([Fate.ARRIVES] * 1_000)
            self.the_engine_commits(1_000)
            self.receiver._tell_gateways()
            self.hear()
            self.told.clear()
        assert self.committed == set(range(self.put_count))
        assert self.spool.figures.size == 0

    def close(self) -> None:
        self.spool.close()
        shutil.rmtree(self.folder)


Step = Callable[[NetworkThatLoses], None]
FATES = st.sampled_from([Fate.ARRIVES] * 4 + [Fate.IS_LOST, Fate.COMES_TWICE])


def step(name: str, **arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    """Return a step by its method's name."""
    return st.builds(lambda **drawn: methodcaller(name, **drawn), **arguments)


READ = step("read_devices", lanes=st.lists(st.sampled_from(Lane), min_size=1, max_size=6))
CARRY = step("the_network_carries_frames", fates=st.lists(FATES, min_size=1, max_size=9))
COMMIT = step("the_engine_commits", count=st.integers(1, 10))
TELL = step("the_engine_tells", lost=st.sampled_from([False, False, True]))
WAIT = step("time_passes", seconds=st.sampled_from([0.1, 6.0]))
RECONNECT, KILL = step("the_gateway_reconnects_or_loses_patience"), step("the_engine_is_killed")
STEPS = st.one_of(
    READ, READ, READ, CARRY, CARRY, CARRY, step("send"), COMMIT, COMMIT, TELL, TELL, WAIT, RECONNECT, KILL
)


@settings(max_examples=80)
@given(steps=st.lists(STEPS, min_size=5, max_size=40))
def test_whatever_the_network_does_all_arrives_changes_in_order_and_nothing_is_taken_twice(steps: list[Step]) -> None:
    network = NetworkThatLoses()
    try:
        for each in steps:
            each(network)
            network.what_left_the_spool_is_committed()
            network.changes_come_once_in_order_and_without_a_gap()
            network.nothing_is_taken_twice_and_what_is_late_is_telemetry()
            network.no_more_is_under_way_than_the_windows_allow()
        network.heal()
    finally:
        network.close()
