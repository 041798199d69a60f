"""The meeting place of drivers and engine."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from gateway.events import Delivery, DeviceEvent
from gateway.inbox import Inbox, urgent_points
from tests.facilities import DETECTOR, small_facility


def telemetry(*points: int) -> Delivery:
    rows = [Sample(point, 0, 0, 1.0, Quality.GOOD) for point in points]
    return Delivery(connection_id="line", batch=SampleBatch.of(rows))


def badge_event() -> Delivery:
    event = DeviceEvent(point=9, source_time_ns=0, gateway_time_ns=0, code=1, event_id="e1")
    return Delivery(connection_id="doors", batch=SampleBatch.of([]), events=(event,))


def acknowledged() -> Delivery:
    return Delivery(connection_id="lifts", batch=telemetry(8).batch, acknowledge=lambda: None)


def points_in(deliveries: list[Delivery]) -> list[int]:
    return [point for delivery in deliveries for point in delivery.batch.point.tolist()]


def test_all_that_waits_is_taken_at_once_events_and_acknowledged_lanes_first() -> None:
    inbox = Inbox()
    first, event, kept = telemetry(1), badge_event(), acknowledged()
    for delivery in (first, event, kept):
        inbox.put(delivery)
    assert inbox.take_all(0) == [event, kept, first]
    assert inbox.take_all(0) == []


def test_when_the_engine_falls_behind_the_oldest_telemetry_goes_first_and_is_counted() -> None:
    inbox = Inbox(capacity=4)
    for delivery in (telemetry(1, 2), badge_event(), telemetry(3, 4), acknowledged(), telemetry(5)):
        inbox.put(delivery)
    taken = inbox.take_all(0)
    assert inbox.dropped == 2
    assert points_in(taken) == [8, 3, 4, 5]
    assert sum(len(delivery.events) for delivery in taken) == 1


def test_a_waiting_engine_is_woken_by_a_delivery_and_by_a_call() -> None:
    inbox = Inbox()
    with ThreadPoolExecutor(1) as engine:
        waiting = engine.submit(inbox.take_all, 20.0)
        inbox.put(telemetry(1))
        assert points_in(waiting.result(10)) == [1]
        waiting = engine.submit(inbox.take_all, 20.0)
        inbox.wake()
        assert waiting.result(10) == []


def test_deliveries_of_many_threads_all_arrive_in_each_ones_order() -> None:
    inbox = Inbox()
    start = threading.Barrier(4)

    def deliver(thread: int) -> None:
        start.wait(10)
        for number in range(500):
            inbox.put(telemetry(thread * 1000 + number))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(deliver, range(4)))
    taken = points_in(inbox.take_all(0))
    for thread in range(4):
        own = [point for point in taken if point // 1000 == thread]
        assert own == [thread * 1000 + number for number in range(500)]


@given(st.integers(1, 20), st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=6), max_size=30))
def test_nothing_is_lost_uncounted_and_the_newest_always_stays(capacity: int, sizes: list[list[int]]) -> None:
    inbox = Inbox(capacity)
    for points in sizes:
        inbox.put(telemetry(*points))
    taken = points_in(inbox.take_all(0))
    everything = [point for points in sizes for point in points]
    assert len(taken) + inbox.dropped == len(everything)
    assert taken == everything[inbox.dropped :]
    assert not sizes or taken[-len(sizes[-1]) :] == sizes[-1]
    assert len(taken) <= max(capacity, len(sizes[-1]) if sizes else 0)


FIRE, BADGE = 7, 9
"""Urgent points."""


def test_a_fire_sample_is_cut_out_of_its_delivery_and_given_alone_before_a_large_backlog() -> None:
    inbox = Inbox(urgent=[FIRE], step_samples=4)
    for _ in range(10):
        inbox.put(telemetry(1, 2))
    inbox.put(telemetry(1, FIRE, 2))
    assert points_in(inbox.take(0).deliveries) == [FIRE]
    assert points_in(inbox.take(0).deliveries) == [1, 2, 1, 2]
    inbox.put(telemetry(FIRE))
    assert points_in(inbox.take(0).deliveries) == [FIRE]
    given = inbox.take(0)
    while given.waiting_since_ns is not None:
        given = inbox.take(0)
    assert inbox.waiting == 0
    assert points_in(given.deliveries) == [1, 2]


def test_normally_everything_is_given_at_once_with_the_urgent_first() -> None:
    inbox = Inbox(urgent=[FIRE])
    inbox.put(telemetry(1, FIRE))
    inbox.put(acknowledged())
    given = inbox.take(0)
    assert points_in(given.deliveries) == [FIRE, 8, 1]
    assert given.waiting_since_ns is None


def test_life_safety_and_events_are_urgent() -> None:
    facility = small_facility()
    urgent = urgent_points(facility)
    assert {facility.points[key].asset_id for key in urgent} == {DETECTOR}


def test_a_changed_site_may_have_other_urgent_points() -> None:
    inbox = Inbox(urgent=[FIRE], step_samples=1)
    inbox.prefer([BADGE])
    inbox.put(telemetry(1, 2, 3))
    inbox.put(telemetry(FIRE, BADGE, 10_000))
    assert points_in(inbox.take(0).deliveries) == [BADGE]


class Engine:
    """Takes from an inbox step by step, and acknowledges what it was given."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.seen: list[tuple[int, int]] = []
        """Point and number of its delivery."""
        self.done: list[int] = []

    def step(self) -> bool:
        given = self.inbox.take(0)
        for delivery in given.deliveries:
            self.seen += [(sample.point, sample.gateway_time_ns) for sample in delivery.batch.rows()]
            if delivery.acknowledge is not None:
                delivery.acknowledge()
        assert (given.waiting_since_ns is None) is (self.inbox.waiting == 0)
        return given.waiting_since_ns is not None


@given(
    st.lists(st.tuples(st.lists(st.sampled_from([1, 2, FIRE, BADGE, 99]), max_size=5), st.booleans()), max_size=40),
    st.sets(st.integers(0, 39)),
    st.integers(1, 10),
)
def test_whatever_comes_every_sample_is_given_once_in_its_point_s_order_and_then_acknowledged(
    parts: list[tuple[list[int], bool]], takes: set[int], step_samples: int
) -> None:
    engine = Engine(Inbox(urgent=[FIRE, BADGE], step_samples=step_samples))
    for number, (points, wants) in enumerate(parts):
        rows = [Sample(point, number, number, 0.0, Quality.GOOD) for point in points]
        acknowledge = partial(engine.done.append, number) if wants else None
        engine.inbox.put(Delivery(connection_id="any", batch=SampleBatch.of(rows), acknowledge=acknowledge))
        if number in takes:
            engine.step()
            for each in engine.done:
                assert Counter(seen for _, seen in engine.seen)[each] == len(parts[each][0])
    wanted = [number for number, (_, wants) in enumerate(parts) if wants]
    while engine.step() or len(engine.done) < len(wanted):
        pass
    assert sorted(engine.done) == wanted
    given = [(point, number) for number, (points, _) in enumerate(parts) for point in points]
    assert sorted(engine.seen) == sorted(given)
    for point in (FIRE, BADGE):
        numbers = [number for each, number in engine.seen if each == point]
        assert numbers == sorted(numbers)
