"""Any plant, any samples: what must hold whatever happens, for both kernels and across restarts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.conditions import Condition, LimitDefinition, LimitSide, Threshold
from facility.model import Facility
from facility.priority import ConsequenceClass, Priority
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from rules import kernel
from rules.compiled import compiled
from rules.engine import RuleEngine
from rules.events import Evaluation, MeterDue, RuleTransition, TransitionKind
from rules.layout import Kernel
from rules.state import SavedState
from tests.rules.plant import (
    HOURS,
    MODE,
    MODES,
    SERVICE_EVERY_H,
    TEMPERATURE,
    VOID,
    S,
    broken,
    only,
    plant,
    silent,
    untrusted,
)

Announced = tuple[RuleTransition | MeterDue, ...]

delays = st.sampled_from([0.0, 0.0, 1.0, 2.5, 4.0, 7.0])


@st.composite
def thresholds(draw: st.DrawFn) -> Threshold:
    limits = {
        side: LimitDefinition(value=float(value), consequence_class=draw(st.sampled_from([None, *ConsequenceClass])))
        for side, value in zip(LimitSide, (-6, -3, 3, 6), strict=True)
        if draw(st.booleans())
    }
    return Threshold(
        type="threshold",
        limits=limits or {LimitSide.HIGH: LimitDefinition(value=3.0)},
        deadband=draw(st.sampled_from([0.0, 0.5, 2.0])),
        on_delay_s=draw(delays),
        off_delay_s=draw(delays),
    )


states = st.builds(
    lambda kind, names, on, off: kind(*names, on_delay_s=on, off_delay_s=off),
    st.sampled_from([broken, only]),
    st.lists(st.sampled_from(sorted(MODES)), min_size=1, max_size=4, unique=True),
    delays,
    delays,
)
distrusts = st.builds(
    lambda reasons, on, off, timeout: untrusted(*reasons, on_delay_s=on, off_delay_s=off, timeout_s=timeout),
    st.sampled_from(
        [("bad",), ("bad_communication",), ("uncertain_stale", "bad_sensor_failure"), ("uncertain", "bad")]
    ),
    delays,
    delays,
    st.sampled_from([None, None, 6.0]),
)
conditions: st.SearchStrategy[tuple[int, Condition]] = st.one_of(
    st.tuples(st.just(TEMPERATURE), thresholds()),
    st.tuples(st.just(MODE), states),
    st.tuples(st.sampled_from([TEMPERATURE, MODE]), st.sampled_from([3.0, 8.0]).map(silent)),
    st.tuples(st.sampled_from([TEMPERATURE, MODE]), distrusts),
)
plants = st.lists(conditions, min_size=1, max_size=5).map(plant)
values = {
    TEMPERATURE: st.floats(-9, 9) | st.integers(-7, 7).map(float),
    MODE: st.sampled_from(sorted(MODES.values())).map(float),
    HOURS: st.floats(0, 4 * SERVICE_EVERY_H),
}
qualities = st.sampled_from(
    [Quality.GOOD] * 8 + [VOID, Quality.BAD_COMMUNICATION, Quality.BAD_SENSOR_FAILURE, Quality.UNCERTAIN_STALE]
)


@st.composite
def days(draw: st.DrawFn, steps_s: Sequence[float] = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0)) -> list[Sample]:
    """Samples in the order of time, each half a second on its way."""
    second = 1.0
    samples = []
    for _ in range(draw(st.integers(1, 40))):
        second += draw(st.sampled_from(steps_s))
        point = draw(st.sampled_from([TEMPERATURE, TEMPERATURE, MODE, HOURS]))
        at = round(second * S)
        quality = draw(qualities)
        value = math.nan if quality == VOID else draw(values[point])
        samples.append(Sample(point, at, at + S // 2, value, quality))
    return samples


def announced(evaluation: Evaluation) -> Announced:
    return (*evaluation.transitions, *evaluation.due)


def live(facility: Facility, samples: Sequence[Sample], fast: Kernel, *, end_ns: int) -> list[Announced]:
    """Everything said about a day in one batch, then by a sweep."""
    engine = RuleEngine(facility, now_ns=0, fast=fast)
    return [announced(engine.evaluate(SampleBatch.of(samples))), announced(engine.sweep(end_ns))]


def by_rule(said: Iterable[Announced]) -> dict[str, list[str]]:
    """What was said about each rule and plan, in order; as text, since no NaN equals itself."""
    lines: dict[str, list[str]] = {}
    for item in (item for part in said for item in part):
        lines.setdefault(item.plan if isinstance(item, MeterDue) else str(item.rule_id), []).append(repr(item))
    return lines


@pytest.fixture(scope="module")
def fast() -> Kernel:
    loaded = compiled()
    if loaded is None:
        pytest.skip("numba is not installed")
    return loaded


@given(facility=plants, samples=days())
@settings(max_examples=60)
def test_both_kernels_say_the_same(fast: Kernel, facility: Facility, samples: list[Sample]) -> None:
    end_ns = samples[-1].gateway_time_ns + 20 * S
    padded = samples * 3  # the repetitions are old news, and make the batch long enough for the compiled kernel
    assert repr(live(facility, padded, fast, end_ns=end_ns)) == repr(
        live(facility, padded, kernel.plain, end_ns=end_ns)
    )


def one_by_one(facility: Facility, samples: Sequence[Sample], sweeps: Sequence[int], *, end_ns: int) -> list[Announced]:
    """The same day with a sweep before each sample, at any time between its neighbours."""
    engine = RuleEngine(facility, now_ns=0, fast=kernel.plain)
    said = []
    before_ns = 0
    for sample, share in zip(samples, sweeps, strict=False):
        moment_ns = before_ns + (sample.gateway_time_ns - before_ns) * share // 100
        said.append(announced(engine.sweep(moment_ns)))
        said.append(announced(engine.evaluate(SampleBatch.of([sample]))))
        before_ns = sample.gateway_time_ns
    return [*said, announced(engine.sweep(end_ns))]


@given(facility=plants, samples=days(), sweeps=st.lists(st.integers(0, 99), min_size=40, max_size=40))
@settings(max_examples=60)
def test_how_often_somebody_sweeps_changes_nothing(
    facility: Facility, samples: list[Sample], sweeps: list[int]
) -> None:
    end_ns = samples[-1].gateway_time_ns + 20 * S
    swept = one_by_one(facility, samples, sweeps, end_ns=end_ns)
    assert by_rule(swept) == by_rule(live(facility, samples, kernel.plain, end_ns=end_ns))


@st.composite
def uneven_days(draw: st.DrawFn) -> list[Sample]:
    """Samples as they arrive, each on its way for as long as it happens to be: late ones, and clocks that are ahead."""
    ways_s = draw(st.lists(st.sampled_from([0.0, 0.5, 0.5, 1.0, 3.0, 8.0, -1.0]), min_size=40, max_size=40))
    return [
        sample._replace(source_time_ns=sample.gateway_time_ns - round(way_s * S))
        for sample, way_s in zip(draw(days()), ways_s, strict=False)
    ]


@given(facility=plants, samples=uneven_days(), sweeps=st.lists(st.integers(0, 100), min_size=40, max_size=40))
@settings(max_examples=60)
def test_however_long_samples_are_on_their_way_sweeps_change_nothing(
    facility: Facility, samples: list[Sample], sweeps: list[int]
) -> None:
    end_ns = samples[-1].gateway_time_ns + 20 * S
    swept = one_by_one(facility, samples, sweeps, end_ns=end_ns)
    assert by_rule(swept) == by_rule(live(facility, samples, kernel.plain, end_ns=end_ns))


limited = st.lists(st.tuples(st.just(TEMPERATURE), thresholds()), min_size=1, max_size=5).map(plant)


@given(facility=limited, samples=days(), sweeps=st.lists(st.integers(0, 99), min_size=40, max_size=40))
@settings(max_examples=60)
def test_nothing_to_judge_does_to_limits_what_a_value_far_inside_them_does(
    facility: Facility, samples: list[Sample], sweeps: list[int]
) -> None:
    inside = [
        sample._replace(value=0.0, quality=Quality.GOOD) if sample.quality == VOID else sample for sample in samples
    ]
    end_ns = samples[-1].gateway_time_ns + 20 * S
    first, second = (one_by_one(facility, day, sweeps, end_ns=end_ns) for day in (samples, inside))
    assert changes_but_for_values(first) == changes_but_for_values(second)


def changes_but_for_values(said: Sequence[Announced]) -> list[RuleTransition]:
    changes = (item for part in said for item in part if isinstance(item, RuleTransition))
    return [replace(change, value=0.0) for change in changes]


@given(facility=plants, samples=days())
@settings(max_examples=50)
def test_every_rule_takes_turns_between_quiet_and_raised(facility: Facility, samples: list[Sample]) -> None:
    end_ns = samples[-1].gateway_time_ns + 20 * S
    changes = [
        item for part in live(facility, samples, kernel.plain, end_ns=end_ns) for item in part
        if isinstance(item, RuleTransition)
    ]  # fmt: skip
    changes.sort(key=lambda change: change.rule_id)
    for _, group in groupby(changes, key=lambda change: change.rule_id):
        is_raised, priority, at_ns = False, Priority.LOW, 0
        for change in group:
            assert (change.kind is TransitionKind.RAISED) is not is_raised
            if change.kind is TransitionKind.ESCALATED:
                assert change.priority < priority
            if change.kind is TransitionKind.EASED:
                assert change.priority > priority
            assert change.since_ns <= change.at_ns
            assert at_ns <= change.at_ns <= end_ns
            is_raised, priority, at_ns = change.kind is not TransitionKind.CLEARED, change.priority, change.at_ns


@given(hours=st.lists(st.floats(0, 10 * SERVICE_EVERY_H), min_size=1, max_size=60))
def test_a_meter_that_grows_falls_due_once_for_each_multiple_it_is_seen_to_pass(hours: list[float]) -> None:
    samples = [Sample(HOURS, n * S, n * S, value, Quality.GOOD) for n, value in enumerate(sorted(hours))]
    said = live(plant(), samples, kernel.plain, end_ns=99 * S)
    due = [item.due_key for part in said for item in part if isinstance(item, MeterDue)]
    seen = sorted({int(value // SERVICE_EVERY_H) for value in hours})
    assert due == seen[1:]


class Life:
    """An engine that can be killed after any step, and begins again from what was saved."""

    def __init__(self, facility: Facility, edit: Callable[[Facility], Facility] = lambda facility: facility) -> None:
        self._facility = facility
        self._edit = edit
        self._disk: dict[tuple[str, int], SavedState] = {}
        self.engine = RuleEngine(facility, now_ns=0, fast=kernel.plain)
        self.said: list[Announced] = []

    def hear(self, evaluation: Evaluation) -> None:
        self.said.append(announced(evaluation))
        for state in self.engine.take_changed():
            self._disk[state.owner, state.row] = state

    def restart(self, now_ns: int) -> None:
        self._facility = self._edit(self._facility)
        self.engine = RuleEngine(self._facility, saved=self._disk.values(), now_ns=now_ns, fast=kernel.plain)


def renamed(facility: Facility) -> Facility:
    rules = {
        rule_id: replace(rule, definition=rule.definition.model_copy(update={"name": f"{rule.definition.name}!"}))
        for rule_id, rule in facility.rules.items()
    }
    return replace(facility, rules=rules)


def without_values_after_delays(said: Announced) -> Announced:
    return tuple(
        replace(item, value=0.0, limit=0.0) if isinstance(item, RuleTransition) and item.at_ns > item.since_ns else item
        for item in said
    )


no_silence = st.lists(
    conditions.filter(lambda pair: getattr(pair[1], "timeout_s", None) is None), min_size=1, max_size=5
).map(plant)  # fmt: skip


@given(
    facility=no_silence,
    samples=days(steps_s=(0.25, 0.5, 1.0, 2.0, 3.0, 5.0)),
    kills=st.sets(st.integers(0, 39)),
    sweeps=st.sets(st.integers(0, 39)),
)
@settings(max_examples=80)
def test_a_day_with_restarts_and_new_names_is_the_day_without(
    facility: Facility, samples: list[Sample], kills: set[int], sweeps: set[int]
) -> None:
    """The process is away for an instant; what the broker had not seen acknowledged comes again.

    The value that is shown when a delay ends may be an older one: quiet samples save nothing.
    """
    punctual = [sample._replace(gateway_time_ns=sample.source_time_ns) for sample in samples]
    calm, stormy = Life(facility), Life(facility, edit=renamed)
    for n, sample in enumerate(punctual):
        for life in (calm, stormy):
            life.hear(life.engine.sweep(sample.gateway_time_ns - 1))
            life.hear(life.engine.evaluate(SampleBatch.of([sample])))
            if n in sweeps:
                life.hear(life.engine.sweep(sample.gateway_time_ns))
        if n in kills:
            stormy.restart(sample.gateway_time_ns)
            stormy.hear(stormy.engine.evaluate(SampleBatch.of(punctual[max(0, n - 3) : n + 1])))
    end_ns = punctual[-1].gateway_time_ns + 20 * S
    for life in (calm, stormy):
        life.hear(life.engine.sweep(end_ns))
    assert by_rule(map(without_values_after_delays, stormy.said)) == by_rule(
        map(without_values_after_delays, calm.said)
    )


@given(facility=plants, samples=days(), kills=st.sets(st.integers(0, 39)))
@settings(max_examples=50)
def test_no_restart_raises_what_is_raised_or_clears_what_is_clear(
    facility: Facility, samples: list[Sample], kills: set[int]
) -> None:
    """Here the process is away for some time, so silences and delays may end differently, but never out of turn."""
    life = Life(facility)
    for n, sample in enumerate(samples):
        life.hear(life.engine.sweep(sample.gateway_time_ns - 1))
        life.hear(life.engine.evaluate(SampleBatch.of([sample])))
        if n in kills:
            following = samples[min(n + 1, len(samples) - 1)]
            life.restart((sample.gateway_time_ns + following.gateway_time_ns) // 2)
    raised: Counter[int] = Counter()
    for item in (item for part in life.said for item in part if isinstance(item, RuleTransition)):
        raised[item.rule_id] += {TransitionKind.RAISED: 1, TransitionKind.CLEARED: -1}.get(item.kind, 0)
        assert raised[item.rule_id] in (0, 1)
