"""Large random days: the compiled kernel and the plain one say the same, whatever comes and however it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.conditions import Condition, LimitDefinition, LimitSide, Threshold
from facility.model import Facility
from facility.quality import Quality
from facility.samples import SampleBatch
from rules import kernel
from rules.compiled import compiled
from rules.engine import SMALL_BATCH, RuleEngine
from rules.layout import Kernel
from tests.rules.plant import (
    HOURS,
    MODE,
    MODES,
    SERVICE_EVERY_H,
    TEMPERATURE,
    S,
    broken,
    only,
    plant,
    silent,
    untrusted,
)

PUMPS = 230
KINDS = 3
"""Points of a pump; the kinds of points take turns among the keys."""
KEYS = 1 + PUMPS * KINDS
QUALITIES = np.array(
    [Quality.GOOD] * 24 + [Quality.UNCERTAIN_STALE, Quality.BAD_COMMUNICATION, Quality.BAD_SENSOR_FAILURE, kernel.VOID],
    np.uint8,
)


@pytest.fixture(scope="module")
def fast() -> Kernel:
    loaded = compiled()
    if loaded is None:
        pytest.skip("numba is not installed")
    return loaded


def a_threshold(dice: np.random.Generator) -> Threshold:
    at = zip(LimitSide, (-6.0, -3.0, 3.0, 6.0), strict=True)
    limits = {side: LimitDefinition(value=value) for side, value in at if dice.random() < 0.5}
    return Threshold(
        type="threshold",
        limits=limits or {LimitSide.HIGH: LimitDefinition(value=3.0)},
        deadband=float(dice.choice([0.0, 0.5, 2.0])),
        on_delay_s=a_delay(dice),
        off_delay_s=a_delay(dice),
    )


def a_delay(dice: np.random.Generator) -> float:
    return float(dice.choice([0.0, 0.0, 1.0, 2.5, 7.0]))


def some_modes(dice: np.random.Generator) -> Condition:
    names = dice.choice(sorted(MODES), size=dice.integers(1, 4), replace=False).tolist()
    kind = only if dice.random() < 0.5 else broken
    return kind(*names, on_delay_s=a_delay(dice), off_delay_s=a_delay(dice))


def a_condition(dice: np.random.Generator, point: int) -> Condition:
    chance = dice.random()
    if chance < 0.1:
        return silent(float(dice.choice([3.0, 8.0])))
    if chance < 0.25:
        timeout_s = None if dice.random() < 0.5 else 6.0
        return untrusted("bad", on_delay_s=a_delay(dice), off_delay_s=a_delay(dice), timeout_s=timeout_s)
    return some_modes(dice) if point == MODE else a_threshold(dice)


def cellar(dice: np.random.Generator) -> Facility:
    """Many pumps with some rules each, their points in more than one block of the kernel's."""
    rules = {}
    for number in range(1, PUMPS * 4):
        point = int(dice.choice([TEMPERATURE, MODE, HOURS]))
        rules[number] = (point, a_condition(dice, point))
    one = plant(rules)
    pumps = {f"pump-{number}": replace(one.assets["pump-1"], id=f"pump-{number}") for number in range(PUMPS)}
    points = {
        number * KINDS + point.key: replace(point, key=number * KINDS + point.key, asset_id=asset_id)
        for number, asset_id in enumerate(pumps)
        for point in one.points.values()
    }
    moved = {}
    for rule in one.rules.values():
        number = int(dice.integers(PUMPS))
        moved[rule.id] = replace(rule, asset_id=f"pump-{number}", point_key=number * KINDS + rule.point_key)
    return replace(one, assets=pumps, points=points, rules=moved)


def day(dice: np.random.Generator, sizes: list[int]) -> Iterator[tuple[SampleBatch, int]]:
    """Batches of these sizes, each with the time at which somebody sweeps after it."""
    now_ns = S
    for size in sizes:
        key = dice.integers(-1, KEYS + 3, size).astype(np.int32)  # also of points that nobody knows
        sent_ns = now_ns + np.sort(dice.integers(0, 2 * S, size))
        kind = (key - 1) % KINDS + 1
        value = np.where(kind == MODE, dice.integers(-1, 6, size), dice.normal(0, 4, size))
        value = np.where(kind == HOURS, dice.uniform(0, 3 * SERVICE_EVERY_H, size), value)
        quality = dice.choice(QUALITIES, size)
        value[(quality == kernel.VOID) | (dice.random(size) < 0.01)] = np.nan
        late_ns = dice.choice([0, S // 2, 5 * S], size, p=[0.7, 0.25, 0.05])
        now_ns += 2 * S
        yield SampleBatch(key, sent_ns - late_ns, sent_ns, value, quality), now_ns + int(dice.integers(3)) * S


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.sampled_from([0, 1, SMALL_BATCH + 1, 40, 700, 2_500]), min_size=1, max_size=8),
)
@settings(max_examples=25)
def test_both_kernels_say_and_keep_the_same_of_a_large_cellar(fast: Kernel, seed: int, sizes: list[int]) -> None:
    facility = cellar(np.random.default_rng(seed))
    first, second = (RuleEngine(facility, now_ns=0, fast=chosen) for chosen in (fast, kernel.plain))
    for batch, sweep_ns in day(np.random.default_rng(seed), sizes):
        assert repr(first.evaluate(batch)) == repr(second.evaluate(batch))
        assert repr(first.sweep(sweep_ns)) == repr(second.sweep(sweep_ns))
        assert repr(first.take_changed()) == repr(second.take_changed())


@given(
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 2_500), max_size=6),
    room=st.sampled_from([100, 300, 8_192]),
)
@settings(max_examples=15)
def test_how_a_large_batch_is_cut_and_how_much_room_there_is_for_records_changes_nothing(
    fast: Kernel, seed: int, cuts: list[int], room: int
) -> None:
    facility = cellar(np.random.default_rng(seed))
    whole, cut = (RuleEngine(facility, now_ns=0, fast=fast) for _ in range(2))
    out = cut._columns.out
    cut._columns = cut._columns._replace(out=out._replace(line=out.line[:room], value=out.value[:room]))
    ((batch, sweep_ns),) = day(np.random.default_rng(seed), [2_500])
    edges = [0, *sorted(cuts), len(batch)]
    parts = [cut.evaluate(batch.part(start, end)) for start, end in pairwise(edges)]
    said = sorted(repr(item) for part in parts for item in part.transitions)
    assert said == sorted(map(repr, whole.evaluate(batch).transitions))
    assert repr(cut.sweep(sweep_ns)) == repr(whole.sweep(sweep_ns))
