"""Which samples must never be lost nor wait: changes of state, sensors that turn bad, events."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from facility.equipment import PointDefinition, PointKind
from facility.model import Point
from facility.quality import BAD_FROM, Quality
from facility.samples import Sample, SampleBatch
from gateway.spool.lanes import Lane, LaneRouter
from tests.facilities import text

SMOKE, LEAK, PRESSURE, BADGE = 1, 2, 3, 4
KINDS = {SMOKE: PointKind.BINARY, LEAK: PointKind.BINARY, PRESSURE: PointKind.ANALOG, BADGE: PointKind.EVENT}
GOOD, BAD, UNCERTAIN = Quality.GOOD, Quality.BAD_COMMUNICATION, Quality.UNCERTAIN_STALE


def router() -> LaneRouter:
    points = [
        Point(key=key, asset_id="a", name=str(key), definition=PointDefinition(kind=kind, name=text(str(key))))
        for key, kind in KINDS.items()
    ]
    return LaneRouter(points, {SMOKE})


def lanes(with_router: LaneRouter, *rows: tuple[int, float, Quality]) -> dict[Lane, list[tuple[int, float]]]:
    batch = SampleBatch.of([Sample(point, at, at, value, quality) for at, (point, value, quality) in enumerate(rows)])
    return {
        lane: [(sample.point, sample.value) for sample in part.rows()]
        for lane, part in with_router.split(batch).items()
    }


def test_smoke_goes_before_a_leak_and_both_before_pressure() -> None:
    found = lanes(router(), (PRESSURE, 4.2, GOOD), (LEAK, 1.0, GOOD), (SMOKE, 1.0, GOOD))
    assert found == {Lane.LIFE_SAFETY: [(SMOKE, 1.0)], Lane.STATE: [(LEAK, 1.0)], Lane.TELEMETRY: [(PRESSURE, 4.2)]}


def test_a_state_that_is_only_repeated_is_telemetry() -> None:
    one = router()
    lanes(one, (LEAK, 0.0, GOOD))
    assert lanes(one, (LEAK, 0.0, GOOD)) == {Lane.TELEMETRY: [(LEAK, 0.0)]}
    assert lanes(one, (LEAK, 1.0, GOOD)) == {Lane.STATE: [(LEAK, 1.0)]}


def test_every_badge_counts_also_the_same_outcome_twice() -> None:
    assert lanes(router(), (BADGE, 1.0, GOOD), (BADGE, 1.0, GOOD)) == {Lane.STATE: [(BADGE, 1.0), (BADGE, 1.0)]}


def test_a_sensor_that_falls_silent_and_comes_back_is_a_change() -> None:
    one = router()
    assert lanes(one, (PRESSURE, 4.2, GOOD)) == {Lane.TELEMETRY: [(PRESSURE, 4.2)]}
    assert list(lanes(one, (PRESSURE, math.nan, BAD))) == [Lane.STATE]
    assert list(lanes(one, (PRESSURE, math.nan, BAD))) == [Lane.TELEMETRY]
    assert lanes(one, (PRESSURE, 4.3, UNCERTAIN)) == {Lane.STATE: [(PRESSURE, 4.3)]}
    assert lanes(one, (PRESSURE, 4.4, GOOD)) == {Lane.TELEMETRY: [(PRESSURE, 4.4)]}


def test_a_point_nobody_knows_is_telemetry() -> None:
    assert lanes(router(), (77, 1.0, GOOD), (-5, 1.0, GOOD)) == {Lane.TELEMETRY: [(77, 1.0), (-5, 1.0)]}


ROWS = st.lists(
    st.tuples(st.sampled_from(list(KINDS)), st.sampled_from([0.0, 1.0, math.nan]), st.sampled_from([GOOD, BAD])),
    max_size=30,
)


@given(rows=ROWS, cuts=st.lists(st.integers(0, 30), max_size=4))
def test_however_samples_are_gathered_no_change_is_telemetry_and_none_is_lost(
    rows: list[tuple[int, float, Quality]], cuts: list[int]
) -> None:
    one, seen = router(), dict[int, tuple[str, bool]]()
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for start, end in pairwise(edges):
        numbered = [Sample(point, at, at, value, quality) for at, (point, value, quality) in enumerate(rows[start:end])]
        parts = one.split(SampleBatch.of(numbered))
        came = {sample.source_time_ns: lane for lane, part in parts.items() for sample in part.rows()}
        assert len(came) == len(numbered)
        following: set[int] = set()
        for sample in numbered:
            state = (str(sample.value), sample.quality >= BAD_FROM)
            if is_change(sample.point, seen.get(sample.point), state):
                following.add(sample.point)
            seen[sample.point] = state
            own = Lane.LIFE_SAFETY if sample.point == SMOKE else Lane.STATE
            assert came[sample.source_time_ns] is (own if sample.point in following else Lane.TELEMETRY)


def is_change(point: int, before: tuple[str, bool] | None, now: tuple[str, bool]) -> bool:
    """Say it again in plain words."""
    if KINDS[point] is PointKind.EVENT:
        return True
    if KINDS[point] is PointKind.ANALOG:
        return now[1] != (before[1] if before else False)
    return before != now
