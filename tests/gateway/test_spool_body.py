"""Samples and events as bytes: what goes in comes out, and what is damaged is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from gateway.events import DeviceEvent
from gateway.spool.body import BodyError, check, decode, encode

INT64 = st.integers(-(2**63), 2**63 - 1)
SAMPLES = st.lists(
    st.builds(Sample, st.integers(-(2**31), 2**31 - 1), INT64, INT64, st.floats(), st.sampled_from(Quality)),
    max_size=40,
)
EVENTS = st.lists(
    st.builds(
        DeviceEvent,
        point=st.integers(0, 2**31 - 1),
        source_time_ns=INT64,
        gateway_time_ns=INT64,
        code=st.integers(-1000, 1000),
        event_id=st.text(max_size=20),
        text=st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3),
    ),
    max_size=4,
)


@given(samples=SAMPLES, events=EVENTS)
def test_what_was_written_is_read_bit_by_bit(samples: list[Sample], events: list[DeviceEvent]) -> None:
    batch = SampleBatch.of(samples)
    found, found_events = decode(encode(batch, events))
    for name in SampleBatch.__slots__:
        assert getattr(found, name).tobytes() == getattr(batch, name).tobytes()
        assert getattr(found, name).dtype == getattr(batch, name).dtype
    assert list(found_events) == events


@given(samples=SAMPLES, events=EVENTS, data=st.data())
def test_a_changed_bit_is_noticed(samples: list[Sample], events: list[DeviceEvent], data: st.DataObject) -> None:
    body = bytearray(encode(SampleBatch.of(samples), events))
    at = data.draw(st.integers(0, len(body) - 1).filter(lambda place: place != 3))  # the reserved byte says nothing
    body[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BodyError):
        check(body)


@given(junk=st.binary(max_size=200))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(BodyError):
        decode(junk)


@given(samples=SAMPLES.filter(bool), cut=st.integers(1, 30))
def test_a_body_cut_short_is_refused(samples: list[Sample], cut: int) -> None:
    with pytest.raises(BodyError):
        decode(encode(SampleBatch.of(samples))[:-cut])


def test_half_a_character_out_of_a_device_does_not_stop_the_others() -> None:
    event = DeviceEvent(
        point=1, source_time_ns=1, gateway_time_ns=1, code=1, event_id="\ud83d", text={"badge": "\ude00"}
    )
    _, (found,) = decode(encode(SampleBatch.of([]), [event]))
    assert (found.event_id, found.text) == ("?", {"badge": "?"})


def test_a_sample_takes_a_third_of_its_columns() -> None:
    chance = np.random.default_rng(1)
    count = 2_000
    now = np.full(count, 1_800_000_000 * NS_PER_S) + np.repeat(np.arange(count // 20) * 50_000_000, 20)
    batch = SampleBatch(
        point=np.resize(np.arange(500, dtype=np.int32), count),
        source_time_ns=now,
        gateway_time_ns=now + 1_234_567,
        value=chance.normal(20.0, 5.0, count).round(1),
        quality=np.zeros(count, np.uint8),
    )
    assert len(encode(batch)) < 10 * count
