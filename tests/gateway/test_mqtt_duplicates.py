"""What comes twice is delivered once; what may not have been kept is delivered again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from facility.quality import Quality
from facility.samples import Sample
from gateway.drivers.mqtt import duplicates
from gateway.drivers.mqtt.duplicates import Duplicates
from gateway.drivers.mqtt.messages import Message
from gateway.drivers.mqtt.reading import Reading
from gateway.events import DeviceEvent


def message(payload: bytes = b"1", *, again: bool = False, number: int = 1) -> Message:
    return Message("door/state", payload, retained=False, again=again, number=number)


def reading(value: float, time_ns: int, *, quality: Quality = Quality.GOOD, is_timed: bool = True) -> Reading:
    return Reading("door-1", [Sample(1, time_ns, time_ns + 5, value, quality)], is_timed=is_timed)


def badge(event_id: str) -> Reading:
    event = DeviceEvent(point=1, source_time_ns=7, gateway_time_ns=8, code=1, event_id=event_id)
    return Reading("door-1", [Sample(1, 7, 8, 1.0, Quality.GOOD)], [event], is_timed=True)


def test_a_repetition_counts_as_one_only_after_the_first_is_safe() -> None:
    memory = Duplicates()
    burst = memory.open_burst(is_acknowledged=True)
    assert not memory.has_come(message())
    memory.open_burst(is_acknowledged=True)
    assert not memory.has_come(message(again=True)), "whoever keeps the first one may still be killed"
    memory.settle(burst)
    memory.settle(burst + 1)
    memory.open_burst(is_acknowledged=True)
    assert memory.has_come(message(again=True))
    assert memory.has_come(message(again=True)), "and it stays known"


def test_a_message_that_the_broker_does_not_call_a_repetition_is_none() -> None:
    memory = Duplicates()
    memory.open_burst(is_acknowledged=False)
    assert not memory.has_come(message())
    assert not memory.has_come(message())
    assert not memory.has_come(message(b"2", again=True)), "it was never here"
    assert not memory.has_come(message(again=True, number=0)), "QoS 0 is never sent again"


def test_the_same_value_of_the_same_time_is_one_sample_and_a_later_one_another() -> None:
    memory = Duplicates()
    memory.open_burst(is_acknowledged=False)
    first, same, later = reading(1.0, 100), reading(1.0, 100), reading(1.0, 200)
    assert [memory.thin(each) for each in (first, same, later)] == [0, 1, 0]
    assert (len(first.samples), len(same.samples), len(later.samples)) == (1, 0, 1)


def test_a_better_quality_of_the_same_value_is_news() -> None:
    memory = Duplicates()
    memory.open_burst(is_acknowledged=False)
    assert memory.thin(reading(1.0, 100, quality=Quality.UNCERTAIN_RETAINED)) == 0
    assert memory.thin(reading(1.0, 100)) == 0
    assert memory.thin(reading(1.0, 100, quality=Quality.UNCERTAIN_RETAINED)) == 1


def test_a_device_that_does_not_say_its_time_may_repeat_itself() -> None:
    memory = Duplicates()
    memory.open_burst(is_acknowledged=False)
    assert [memory.thin(reading(1.0, 100, is_timed=False)) for _ in range(3)] == [0, 0, 0]


def test_a_point_that_lost_its_value_gets_the_same_one_back() -> None:
    memory = Duplicates()
    memory.open_burst(is_acknowledged=False)
    memory.thin(reading(1.0, 100))
    memory.forget([1])
    assert memory.thin(reading(1.0, 100)) == 0


def test_a_badge_that_was_read_twice_by_the_wire_opens_the_door_once() -> None:
    memory = Duplicates()
    memory.open_burst(is_acknowledged=False)
    first, again, other = badge("e-1"), badge("e-1"), badge("e-2")
    memory.thin(first)
    assert memory.thin(again) == 1
    memory.thin(other)
    assert [len(each.events) for each in (first, again, other)] == [1, 0, 1]


def test_memory_is_bounded_whatever_comes() -> None:
    memory = Duplicates()
    memory.open_burst(is_acknowledged=False)
    for number in range(duplicates.MAX_REMEMBERED + 100):
        memory.has_come(message(str(number).encode()))
    assert len(memory._messages) == duplicates.MAX_REMEMBERED


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_nothing_is_left_out_that_was_not_kept(steps: list[tuple[int, bool]]) -> None:
    """Each step: a message comes, perhaps again; its burst is committed or not."""
    memory = Duplicates()
    kept: set[int] = set()
    for number, is_committed in steps:
        burst = memory.open_burst(is_acknowledged=True)
        left_out = memory.has_come(message(str(number).encode(), again=True))
        assert left_out <= (number in kept)
        if is_committed:
            memory.settle(burst)
            kept.add(number)
