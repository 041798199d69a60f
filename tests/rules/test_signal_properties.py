"""Any works, any samples: no cut of a batch, no sweep and no restart changes what computed conditions say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from facility.conditions import Condition, Schedule
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from rules import kernel
from rules.baseline import Baseline, fit
from rules.compile import NOTHING_LEARNED
from rules.engine import RuleEngine
from rules.events import Evaluation, RuleTransition
from rules.signals.past import Past, nothing_before
from rules.state import SavedState
from tests.rules.plant import S
from tests.rules.works import DETECTORS, DOOR, FLOW, PRESSURE, RUNNING, SETPOINT, TROUBLE, past_of, works

_CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)
_SECONDS = st.sampled_from([0.0, 0.0, 1.0, 2.5, 4.0, 7.0])


def _of(kind: str, **parts: Any) -> st.SearchStrategy[Condition]:  # noqa: ANN401  # whatever a file may say
    chosen = {key: part if isinstance(part, st.SearchStrategy) else st.just(part) for key, part in parts.items()}
    return st.fixed_dictionaries({"type": st.just(kind), **chosen}).map(_CONDITION.validate_python)


_DELAYS = {"on_delay_s": _SECONDS, "off_delay_s": _SECONDS}
_BOTH = st.sampled_from(
    [{"high": {"value": 2}}, {"low": {"value": -2}, "high": {"value": 2, "consequence_class": "severe"}}]
)
_LIMITED = {**_DELAYS, "limits": _BOTH, "deadband": st.sampled_from([0.0, 0.5])}
_MOVING = st.sampled_from(
    [
        {"high": {"point": "setpoint"}},
        {"low": {"point": "setpoint", "offset": -1}, "high_high": {"point": "setpoint", "consequence_class": "severe"}},
    ]
)
_EXPRESSIONS = st.sampled_from(
    [
        "flow < 3 and running == 'running'",
        "flow > pressure * '1 m**3/h/bar' or missing(setpoint)",
        "first or second",
        "first and not (flow > 3)",
        "not first and running",
    ]
)
_OWN = st.one_of(
    st.tuples(st.just(FLOW), _of("threshold", **_LIMITED)),
    st.tuples(st.just(RUNNING), _of("state", states=["running"], **_DELAYS)),
    st.tuples(st.just(RUNNING), _of("forbidden_state", allowed=["stopped"], **_DELAYS)),
    st.tuples(st.just(FLOW), _of("bad_quality", **_DELAYS)),
)
_SILENCES = st.one_of(
    st.tuples(st.just(FLOW), _of("no_data", timeout_s=st.sampled_from([3.0, 8.0]))),
    st.tuples(st.just(FLOW), _of("bad_quality", timeout_s=6.0, **_DELAYS)),
)
"""A restart begins them afresh, for nobody listened meanwhile."""
_QUANTITIES = st.one_of(
    st.tuples(st.just(FLOW), _of("rate_of_change", window_s=10, per="s", **_LIMITED)),
    st.tuples(st.just(FLOW), _of("stuck", for_s=8, tolerance=st.sampled_from([0.0, 1.0]))),
    st.tuples(st.just(FLOW), _of("window", statistic=st.sampled_from(["mean", "min", "max"]), window_s=12, **_LIMITED)),
    st.tuples(st.just(FLOW), _of("window", statistic="percentile", percentile=80, window_s=12, **_LIMITED)),
    st.tuples(st.just(FLOW), _of("counter", window_s=15, modulus=st.sampled_from([None, 10.0]), **_LIMITED)),
    st.tuples(
        st.just(FLOW),
        _of("forecast", limit=6, direction="rising", horizon_h=0.01, window_h=0.01, **_DELAYS),
    ),
)
_JOINED = st.one_of(
    st.tuples(st.just(PRESSURE), _of("deviation", reference="setpoint", **_LIMITED)),
    st.tuples(st.just(PRESSURE), _of("moving_threshold", limits=_MOVING, deadband=0.3, **_DELAYS)),
    st.tuples(st.just(DOOR), _of("event_count", states=["denied"], count=2, window_s=9, **_DELAYS)),
    st.tuples(st.just(RUNNING), _of("event_count", states=["running"], count=2, window_s=9, **_DELAYS)),
    st.tuples(
        st.just(TROUBLE),
        _of("coincidence", devices="detector", device_point="state", states=["alarm"], count=2, **_DELAYS),
    ),
)
_COMPOSITES = st.tuples(st.just(FLOW), _of("composite", expression=_EXPRESSIONS, **_DELAYS))
_GATES = st.sampled_from(
    [
        None,
        None,
        "running == 'running'",
        "flow > 1",
        Schedule(start="08:00", end="08:01"),  # the first minute of 1970 in Shanghai
        Schedule(start="00:00", end="08:01", holidays="excluded"),
    ]
)


@dataclass(frozen=True)
class Plan:
    """Rules with their gates, short enough to be read in a failure."""

    rules: dict[str, tuple[int, Condition]]
    gates: dict[str, str | Schedule]

    def facility(self) -> Facility:
        return works(self.rules, **self.gates)


@st.composite
def plans(draw: st.DrawFn, kinds: st.SearchStrategy[tuple[int, Condition]] = _OWN | _QUANTITIES | _JOINED) -> Plan:
    """Two rules, and others that may read them."""
    rules = {"first": draw(kinds), "second": draw(kinds)}
    of_one_asset = TROUBLE not in {point for point, _ in rules.values()}
    if of_one_asset and draw(st.booleans()):
        rules["third"] = draw(_COMPOSITES)
        rules["fourth"] = (FLOW, _CONDITION.validate_python({"type": "composite", "expression": "third or second"}))
    gates = {name: draw(_GATES) for name, (point, _) in rules.items() if point != TROUBLE}
    return Plan(rules, {name: gate for name, gate in gates.items() if gate is not None})


_VALUES = {
    FLOW: st.integers(-4, 9).map(float) | st.floats(-4, 9),
    PRESSURE: st.integers(0, 9).map(float),
    SETPOINT: st.integers(0, 9).map(lambda bars: bars * 100.0),
    RUNNING: st.sampled_from([0.0, 1.0]),
    DOOR: st.sampled_from([1.0, 2.0, 2.0]),
    TROUBLE: st.just(0.0),
    **dict.fromkeys(DETECTORS, st.sampled_from([0.0, 1.0, 2.0, 2.0])),
}
_POINTS = st.sampled_from([FLOW, FLOW, FLOW, PRESSURE, PRESSURE, SETPOINT, RUNNING, RUNNING, DOOR, DOOR, *DETECTORS])


@st.composite
def days(draw: st.DrawFn, *, late_ns: int = 0, bad: bool = True) -> list[Sample]:
    """Samples in the order of time; several points may be read in one instant, each at most once."""
    second = 1.0
    samples: list[Sample] = []
    heard: set[int] = set()
    for _ in range(draw(st.integers(1, 40))):
        step_s = draw(st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0]))
        point = draw(_POINTS)
        if step_s == 0.0 and point in heard:
            step_s = 0.25
        heard = {point} if step_s else {*heard, point}
        second += step_s
        at_ns = round(second * S)
        is_bad = bad and draw(st.integers(0, 9)) == 0
        value, quality = (math.nan, Quality.BAD_COMMUNICATION) if is_bad else (draw(_VALUES[point]), Quality.GOOD)
        samples.append(Sample(point, at_ns, at_ns + late_ns, value, quality))
    return samples


def lines(evaluations: Sequence[Evaluation], *, shown: bool = True) -> dict[int, list[str]]:
    """What was said about each rule, as text, since no NaN equals itself; with or without what people are shown."""
    said: dict[int, list[str]] = {}
    for change in (change for evaluation in evaluations for change in evaluation.transitions):
        told = change if shown else replace(change, value=0.0, limit=0.0, explanation="")
        said.setdefault(change.rule_id, []).append(repr(told))
    return said


@given(
    plan=plans(_OWN | _SILENCES | _QUANTITIES | _JOINED),
    samples=days(late_ns=S // 2),
    cuts=st.sets(st.integers(0, 39)),
    sweeps=st.lists(st.integers(0, 99), min_size=41, max_size=41),
)
@settings(max_examples=60, deadline=None)
def test_neither_cuts_nor_sweeps_change_anything(
    plan: Plan, samples: list[Sample], cuts: set[int], sweeps: list[int]
) -> None:
    end_ns = samples[-1].gateway_time_ns + 200 * S
    at_once = RuleEngine(plan.facility(), now_ns=0, fast=kernel.plain)
    whole = [at_once.evaluate(SampleBatch.of(samples)), at_once.sweep(end_ns)]

    in_pieces = RuleEngine(plan.facility(), now_ns=0, fast=kernel.plain)
    said: list[Evaluation] = []
    piece: list[Sample] = []
    before_ns = 0
    for number, sample in enumerate(samples):
        if number in cuts:
            said.append(in_pieces.evaluate(SampleBatch.of(piece)))
            piece = []
            moment_ns = before_ns + (sample.gateway_time_ns - before_ns) * sweeps[number] // 100
            said.append(in_pieces.sweep(moment_ns))
        piece.append(sample)
        before_ns = sample.gateway_time_ns
    said += [in_pieces.evaluate(SampleBatch.of(piece)), in_pieces.sweep(end_ns)]
    assert lines(said) == lines(whole)


@given(
    plan=plans(_OWN | _SILENCES | _QUANTITIES | _JOINED),
    samples=days(),
    ways_s=st.lists(st.sampled_from([0.0, 0.0, 0.5, 2.0, 8.0, -1.0]), min_size=40, max_size=40),
    waits_s=st.lists(st.sampled_from([0.0, 0.0, 0.5, 4.0]), min_size=40, max_size=40),
)
@settings(max_examples=100, deadline=None)
def test_what_was_overtaken_on_its_way_comes_again_as_it_was_heard(
    plan: Plan, samples: list[Sample], ways_s: list[float], waits_s: list[float]
) -> None:
    """Samples are on their way to the gateway and from there to the rules for as long as it happens to be."""
    came = sorted(
        (each.gateway_time_ns + round(wait_s * S), each._replace(source_time_ns=each.source_time_ns - round(way_s * S)))
        for each, way_s, wait_s in zip(samples, ways_s, waits_s, strict=False)
    )
    end_ns = came[-1][0] + 200 * S
    live = RuleEngine(plan.facility(), now_ns=0, fast=kernel.plain)
    said, kept = [], []
    for now_ns, sample in came:
        heard = live.as_heard(SampleBatch.of([sample]))
        kept += heard.rows()
        said += [live.evaluate(heard), live.sweep(now_ns)]
    said.append(live.sweep(end_ns))
    kept.sort(key=lambda sample: (sample.gateway_time_ns, sample.point, sample.source_time_ns))
    again = RuleEngine(plan.facility(), now_ns=0, fast=kernel.plain)
    assert lines([again.evaluate(SampleBatch.of(kept)), again.sweep(end_ns)]) == lines(said)


class Life:
    """An engine with what a disk holds of it, and a history."""

    def __init__(self, facility: Facility, baselines: Mapping[int, Baseline] = NOTHING_LEARNED) -> None:
        self.facility = facility
        self.said: list[Evaluation] = []
        self.engine = RuleEngine(facility, now_ns=0, baselines=baselines, fast=kernel.plain)
        self._baselines = baselines
        self._disk: dict[tuple[str, int], SavedState] = {}

    def step(self, samples: Sequence[Sample], now_ns: int) -> None:
        """One transaction."""
        self.said += [self.engine.evaluate(SampleBatch.of(samples)), self.engine.sweep(now_ns)]
        for state in self.engine.take_changed():
            self._disk[state.owner, state.row] = state

    def edit(self, facility: Facility, now_ns: int, past: Past = nothing_before) -> None:
        self.engine = RuleEngine(
            facility, saved=self._disk.values(), now_ns=now_ns, past=past, before=self.engine, fast=kernel.plain
        )

    def restart(self, kept: Sequence[Sample], now_ns: int) -> None:
        self.engine = RuleEngine(
            self.facility,
            saved=self._disk.values(),
            now_ns=now_ns,
            past=past_of(kept),
            baselines=self._baselines,
            fast=kernel.plain,
        )


@given(
    plan=plans(),
    samples=days(bad=False),
    kills=st.dictionaries(st.integers(0, 39), st.integers(0, 3), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_a_restart_changes_no_later_transition(plan: Plan, samples: list[Sample], kills: dict[int, int]) -> None:
    """The history had not kept the last samples of some deaths; the broker sends those again, and some more."""
    _compare(plan.facility(), samples, kills, shown=True)


@given(
    plan=plans(),
    samples=days(bad=True),
    kills=st.dictionaries(st.integers(0, 39), st.integers(0, 3), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_a_restart_while_devices_are_lost_changes_no_later_transition(
    plan: Plan, samples: list[Sample], kills: dict[int, int]
) -> None:
    """What a value was that is missing now is not remembered, so evidence may be missing; what happens is the same."""
    _compare(plan.facility(), samples, kills, shown=False)


def _compare(
    facility: Facility,
    samples: list[Sample],
    kills: dict[int, int],
    *,
    shown: bool,
    baselines: Mapping[int, Baseline] = NOTHING_LEARNED,
) -> None:
    calm, stormy = Life(facility, baselines), Life(facility, baselines)
    for number, sample in enumerate(samples):
        following_ns = samples[number + 1].gateway_time_ns if number + 1 < len(samples) else sample.gateway_time_ns + S
        now_ns = (sample.gateway_time_ns + following_ns) // 2
        for life in (calm, stormy):
            life.step([sample], now_ns)
        if number in kills:
            stormy.restart(samples[: max(0, number + 1 - kills[number])], now_ns)
            stormy.step(samples[max(0, number - 3) : number + 1], now_ns)
    for life in (calm, stormy):
        life.step([], samples[-1].gateway_time_ns + 200 * S)
    assert lines(stormy.said, shown=shown) == lines(calm.said, shown=shown)


GOOD = fit(np.random.default_rng(4).normal((3.0, 5.0), (1.5, 2.0), (400, 2)), names=["flow", "pressure"], smoothing=0.6)
UNLIKE_ITSELF = _CONDITION.validate_python(
    {"type": "baseline", "points": ["flow", "pressure"], "smoothing": 0.6, "limit_factor": 0.5, "on_delay_s": 1}
)


@given(samples=days(bad=False), kills=st.dictionaries(st.integers(0, 39), st.integers(0, 3), max_size=12))
@example(  # nothing that the chart reads was kept when the engine began, and what comes again is older than its start
    samples=[
        Sample(SETPOINT, S, S, 0.0, Quality.GOOD),
        Sample(FLOW, S, S, 0.0, Quality.GOOD),
        Sample(FLOW, 3 * S, 3 * S, 0.0, Quality.GOOD),
        Sample(FLOW, 13 * S // 4, 13 * S // 4, 0.0, Quality.GOOD),
        Sample(PRESSURE, 13 * S // 4, 13 * S // 4, 0.0, Quality.GOOD),
    ],
    kills={0: 0, 1: 1},
)
@settings(max_examples=60, deadline=None)
def test_a_restart_changes_no_verdict_of_a_baseline(samples: list[Sample], kills: dict[int, int]) -> None:
    """A chart that is heard again differs from one that ran on by less than a float's last digits."""
    plan = Plan({"unlike": (FLOW, UNLIKE_ITSELF)}, {})
    _compare(plan.facility(), samples, kills, shown=False, baselines={1: GOOD})


@given(plan=plans(), samples=days(bad=False), edits=st.sets(st.integers(0, 39), max_size=12))
@settings(max_examples=60, deadline=None)
def test_an_edit_of_one_rule_is_nothing_to_the_others(plan: Plan, samples: list[Sample], edits: set[int]) -> None:
    """The history is away, so what the others remember is what they were handed."""
    new = _CONDITION.validate_python({"type": "rate_of_change", "window_s": 60, "limits": {"high": {"value": 1}}})
    calm, edited = Life(plan.facility()), Life(plan.facility())
    for number, sample in enumerate(samples):
        now_ns = sample.gateway_time_ns + S // 8
        for life in (calm, edited):
            life.step([sample], now_ns)
        if number in edits:
            edited.edit(works({**plan.rules, f"new-{number}": (FLOW, new)}, **plan.gates), now_ns)
    for life in (calm, edited):
        life.step([], samples[-1].gateway_time_ns + 200 * S)
    unchanged = range(1, len(plan.rules) + 1)
    said, wanted = lines(edited.said), lines(calm.said)
    assert {rule: said.get(rule) for rule in unchanged} == {rule: wanted.get(rule) for rule in unchanged}


@given(plan=plans(_OWN | _SILENCES | _QUANTITIES | _JOINED), samples=days())
@settings(max_examples=100, deadline=None)
def test_every_rule_takes_turns_between_quiet_and_raised(plan: Plan, samples: list[Sample]) -> None:
    engine = RuleEngine(plan.facility(), now_ns=0, fast=kernel.plain)
    said = [engine.evaluate(SampleBatch.of(samples)), engine.sweep(samples[-1].gateway_time_ns + 200 * S)]
    standing: dict[int, RuleTransition] = {}
    for change in (change for evaluation in said for change in evaluation.transitions):
        before = standing.get(change.rule_id)
        assert (change.kind == "raised") is (before is None or before.kind == "cleared")
        assert change.since_ns <= change.at_ns
        assert before is None or before.at_ns <= change.at_ns
        standing[change.rule_id] = change
