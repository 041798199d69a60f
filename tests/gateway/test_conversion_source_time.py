"""Whether to believe a device's clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from facility.quality import Quality
from gateway.source_time import MAX_SKEW_NS, checked_source_time

NOW_NS = 1_780_000_000 * NS_PER_S


def test_a_device_five_minutes_off_is_still_believed_and_one_beyond_is_not() -> None:
    assert checked_source_time(NOW_NS - MAX_SKEW_NS, NOW_NS, Quality.GOOD) == (NOW_NS - MAX_SKEW_NS, Quality.GOOD)
    assert checked_source_time(NOW_NS - MAX_SKEW_NS - 1, NOW_NS, Quality.GOOD) == (NOW_NS, Quality.UNCERTAIN_TIME)


def test_a_device_without_a_clock_takes_the_gateways_time_without_a_stain() -> None:
    assert checked_source_time(None, NOW_NS, Quality.GOOD) == (NOW_NS, Quality.GOOD)


@given(st.integers(-(2**62), 2**62), st.sampled_from(Quality))
def test_the_time_kept_is_near_the_gateways_and_a_bad_sample_keeps_its_reason(source_ns: int, quality: Quality) -> None:
    kept_ns, kept = checked_source_time(source_ns, NOW_NS, quality)
    assert abs(kept_ns - NOW_NS) <= MAX_SKEW_NS
    assert kept is quality or (quality is Quality.GOOD and kept is Quality.UNCERTAIN_TIME)
