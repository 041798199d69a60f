"""How many samples a second the rules take, beside zen-engine on the same work in the same run, and what rules cost.

``uv run --group bench python -m benchmarks.rules --json``. All rates are per second of one core's own time, so that
other programs on the machine count little; each is the median over batches, the tracks taking turns.

The work of ``samples_per_s_…``: 100,000 rules on 25,000 points (each point has a low-low, low, high and high-high rule
with a deadband; half of them with an on- and an off-delay of 2 s), every point once a second in the order a gateway
polls them, batches of 10,000, 0.2 % of the samples bad, about 0.8 transitions per 100 samples.

``samples_per_s_numba``, ``samples_per_s_plain``
    The kernels as they stand below the engine: samples in, transition records out; calls, conversion of the batch and
    everything else between them included.
``samples_per_s_engine``
    The compiled kernel inside the engine, which makes transitions of the records and collects what is to be saved.
``samples_per_s_zen``, ``numba_times_zen``
    zen-engine in its fastest form, one compiled expression per point with the limits as constants, and the least Python
    around it that keeps its states and delays; nearly all of its time goes into the expressions.
``transitions_per_100_samples``
    Of the compiled kernel: what the work is like.
``cost_ratio_100_rules``
    Time for samples of 1,000 points with 100 rules each (limits 0.03 standard deviations apart), by time for the same
    samples with one rule each; compiled kernel.
``bytes_per_rule``
    All that changes while rules run, and the tables that find it, by rules; what rules share, their shapes, is not in
    it, nor are the objects that name rules for people.
``load_s`` and its parts
    :mod:`benchmarks.rules_load`: from database rows to a watching engine, 100,000 rules. ``load_kernel_s`` is numba
    itself and the compiled kernel out of numba's cache; the first run on a machine, which fills that cache and Python's
    own, takes some seconds more.
``change_…``
    :mod:`benchmarks.rules_change`: how long alarms wait while a changed rule becomes live, 100,000 rules.
``timer_…``
    :mod:`benchmarks.rules_timers`: delays of 1,000,000 rules.
``composite_…``
    :mod:`benchmarks.rules_composites`: one evaluation of ``smoke > 0.2 and temp_rate > 8 and not maintenance``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import zen

from benchmarks.rules_change import change_figures
from benchmarks.rules_composites import composite_figures
from benchmarks.rules_load import load_figures
from benchmarks.rules_timers import timer_figures
from facility.clock import NS_PER_S
from facility.conditions import LimitDefinition, LimitSide, Threshold
from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointDefinition, PointKind, RuleDefinition, System
from facility.model import Asset, Facility, Point, Rule
from facility.priority import ConsequenceClass
from facility.quality import BAD_FROM, Quality
from facility.samples import SampleBatch
from rules import kernel
from rules.columns import batch_of, lists_of, views_of
from rules.compile import Program, compile_facility
from rules.compiled import compiled
from rules.engine import RuleEngine
from rules.layout import Kernel

BATCH = 10_000
LIMITS = {LimitSide.LOW_LOW: -3.4, LimitSide.LOW: -2.7, LimitSide.HIGH: 2.7, LimitSide.HIGH_HIGH: 3.4}
"""In standard deviations of the samples."""
DEADBAND = 0.5
DELAY_S = 2.0
START_NS = 1_790_000_000 * NS_PER_S
TEXT = LocalText(en="Beyond its limit", zh="Beyond its limit")


def threshold(limits: dict[LimitSide, float], delay_s: float) -> RuleDefinition:
    """Return one rule with so many limits."""
    condition = Threshold(
        type="threshold",
        limits={side: LimitDefinition(value=value) for side, value in limits.items()},
        deadband=DEADBAND,
        on_delay_s=delay_s,
        off_delay_s=delay_s,
    )
    return RuleDefinition(
        name="limit",
        point="value",
        title=TEXT,
        condition=condition,
        cause=TEXT,
        consequence=TEXT,
        corrective_action=TEXT,
        consequence_class=ConsequenceClass.MODERATE,
        time_to_respond_min=10,
    )


def plant(points: int, definitions_of: Callable[[int], list[RuleDefinition]]) -> Facility:
    """Return a facility of so many points with the rules that each is to have."""
    definition = PointDefinition(kind=PointKind.ANALOG, name=TEXT)
    equipment = EquipmentClass(name="sensor", title=TEXT, system=System.PUMP, points={"value": definition})
    asset = Asset(
        id="plant", name=TEXT, equipment_class=equipment, space_id="hall", connection_id="bus", profile="sensor"
    )
    rules = (
        Rule(id=0, asset_id="plant", point_key=key, definition=rule)
        for key in range(1, points + 1)
        for rule in definitions_of(key)
    )
    return Facility(
        site_id="bench",
        name=TEXT,
        time_zone="UTC",
        spaces={},
        connections={},
        assets={asset.id: asset},
        points={
            key: Point(key=key, asset_id=asset.id, name="value", definition=definition) for key in range(1, points + 1)
        },
        rules={number: replace(rule, id=number) for number, rule in enumerate(rules, 1)},
    )


def field_note_plant(rules: int) -> Facility:
    """Return the plant of the module's docstring."""
    kinds = [[threshold({side: limit}, delay_s) for side, limit in LIMITS.items()] for delay_s in (0.0, DELAY_S)]
    return plant(rules // len(LIMITS), lambda key: kinds[key % 2])


class Traffic:
    """Batches without end, in which every point reports once a second, in the order of polling."""

    def __init__(self, points: int, pool: int = 50) -> None:
        dice = np.random.default_rng(1)
        position = np.arange(pool * BATCH).reshape(pool, BATCH)
        self._seconds = pool * BATCH // points
        self._point = (position % points + 1).astype(np.int32)
        self._time_ns = START_NS + position // points * NS_PER_S
        self._value = dice.normal(size=position.shape)
        is_bad = dice.random(position.shape) < 0.002
        self._quality = np.where(is_bad, Quality.BAD_COMMUNICATION, Quality.GOOD).astype(np.uint8)

    def batch(self, number: int) -> SampleBatch:
        """Return the batch of this number; after the last the values come again, later."""
        cycle, place = divmod(number, len(self._point))
        source_ns = self._time_ns[place] + cycle * self._seconds * NS_PER_S
        return SampleBatch(
            point=self._point[place],
            source_time_ns=source_ns,
            gateway_time_ns=source_ns + 1_000_000,
            value=self._value[place],
            quality=self._quality[place],
        )


@dataclass(slots=True)
class Track:
    """One way to do the work, and what its batches cost."""

    traffic: Traffic
    take: Callable[[SampleBatch], int]
    """Does the work and returns the number of transitions."""
    tidy: Callable[[], None] = lambda: None
    """Done after each batch and not counted."""
    seconds: list[float] = field(default_factory=list)
    transitions: int = 0

    def run(self, batches: int) -> None:
        """Take the next batches."""
        for _ in range(batches):
            batch = self.traffic.batch(len(self.seconds))
            began = time.thread_time()
            self.transitions += self.take(batch)
            self.seconds.append(time.thread_time() - began)
            self.tidy()

    @property
    def samples_per_s(self) -> float:
        """Rate of the median batch; the first third only fills memory and draws bands."""
        return BATCH / statistics.median(self.seconds[len(self.seconds) // 3 :])


def kernel_track(traffic: Traffic, program: Program, chosen: Kernel) -> Track:
    """Drive a kernel as the engine does, but only count what it reports."""
    arrays = program.columns
    is_plain = chosen is kernel.plain
    columns = views_of(arrays) if is_plain else arrays

    def take(batch: SampleBatch) -> int:
        samples = lists_of(batch) if is_plain else batch_of(batch)
        done = transitions = 0
        while done < BATCH:
            done = chosen.scan(samples, columns, done)
            transitions += int(arrays.out.filled[0])
            arrays.out.filled[0] = 0
        return transitions

    def tidy() -> None:
        arrays.rows.live[arrays.out.changed[: arrays.out.filled[1]], kernel.MARKED] = 0
        arrays.out.filled[1] = 0

    return Track(traffic, take, tidy)


def engine_track(traffic: Traffic, facility: Facility, chosen: Kernel) -> Track:
    """Drive the whole engine: records become transitions, changed state is collected."""
    engine = RuleEngine(facility, now_ns=START_NS, fast=chosen)

    def take(batch: SampleBatch) -> int:
        transitions = engine.evaluate(batch).transitions
        engine.take_changed()
        return len(transitions)

    return Track(traffic, take)


class ZenRules:
    """The same rules with zen-engine: it holds the limits, Python keeps what zen has no notion of."""

    def __init__(self, points: int) -> None:
        low_low, low, high, high_high = LIMITS.values()
        text = (
            f"[v < (a ? {low_low + DEADBAND} : {low_low}), v < (b ? {low + DEADBAND} : {low}), "
            f"v > (c ? {high - DEADBAND} : {high}), v > (d ? {high_high - DEADBAND} : {high_high})]"
        )
        self._expressions = [zen.compile_expression(text) for _ in range(points)]
        self._contexts = [{"v": 0.0, "a": False, "b": False, "c": False, "d": False} for _ in range(points)]
        self._active = [[False] * 4 for _ in range(points)]
        self._since: list[list[int | None]] = [[None] * 4 for _ in range(points)]
        self._delay_ns = round(DELAY_S * NS_PER_S)

    def take(self, batch: SampleBatch) -> int:
        """Return the number of transitions."""
        transitions = 0
        columns = (batch.point.tolist(), batch.source_time_ns.tolist(), batch.value.tolist(), batch.quality.tolist())
        for key, at_ns, value, quality in zip(*columns, strict=True):
            if quality >= BAD_FROM:
                continue
            p = key - 1
            context = self._contexts[p]
            context["v"] = value
            found = self._expressions[p].evaluate(context)
            if found != self._active[p] or self._since[p] != [None] * 4:
                transitions += self._follow(p, found, at_ns, self._delay_ns if key % 2 else 0)
        return transitions

    def _follow(self, p: int, found: list[bool], at_ns: int, delay_ns: int) -> int:
        context, active, since, transitions = self._contexts[p], self._active[p], self._since[p], 0
        for row, name in enumerate("abcd"):
            context[name] = found[row]
            began = since[row]
            due = began is not None and at_ns >= began + delay_ns
            if due or (found[row] != active[row] and delay_ns == 0):
                active[row] = not active[row]
                transitions += 1
                since[row] = began = None
            if found[row] == active[row]:
                since[row] = None
            elif began is None:
                since[row] = at_ns
        return transitions


def cost_ratio(chosen: Kernel) -> float:
    """Return what 100 rules on each point cost, relative to one."""
    many = [threshold({LimitSide.HIGH: 2.7 + 0.03 * step}, 0.0) for step in range(100)]
    traffic = Traffic(1_000)
    plants = (plant(1_000, lambda _key: many[:1]), plant(1_000, lambda _key: many))
    one, hundred = (kernel_track(traffic, compile_facility(facility), chosen) for facility in plants)
    for _ in range(10):
        one.run(20)
        hundred.run(20)
    return one.samples_per_s / hundred.samples_per_s


def state_bytes(program: Program) -> int:
    """Return the size of everything that changes while rules run, and of the tables that find it."""
    points, rows, out = program.columns
    words = points._replace(real=points.whole[:0])  # one memory, seen twice
    return sum(column.nbytes for column in (*words, rows.live, out.changed))


def measure(rules: int) -> dict[str, float]:
    """Run all tracks by turns, so that a busy moment of the machine meets all of them, and return the figures."""
    load = load_figures(rules)  # first, while the process is as fresh as an engine's
    change = change_figures(rules)
    chosen = compiled()
    if chosen is None:
        raise SystemExit("numba is not installed; run: uv run --group bench python -m benchmarks.rules")
    points = rules // len(LIMITS)
    facility, traffic = field_note_plant(rules), Traffic(points)
    program = compile_facility(facility)
    fast = kernel_track(traffic, program, chosen)
    plain = kernel_track(traffic, compile_facility(facility), kernel.plain)
    whole = engine_track(traffic, facility, chosen)
    other = Track(traffic, ZenRules(points).take)
    for _ in range(12):
        fast.run(80)
        plain.run(3)
        whole.run(8)
        other.run(1)
    return {
        "samples_per_s_numba": round(fast.samples_per_s),
        "samples_per_s_plain": round(plain.samples_per_s),
        "samples_per_s_engine": round(whole.samples_per_s),
        "samples_per_s_zen": round(other.samples_per_s),
        "numba_times_zen": round(fast.samples_per_s / other.samples_per_s, 1),
        "transitions_per_100_samples": round(100 * fast.transitions / (len(fast.seconds) * BATCH), 2),
        "cost_ratio_100_rules": round(cost_ratio(chosen), 2),
        "bytes_per_rule": round(state_bytes(program) / rules, 1),
        **timer_figures(chosen, 10 * rules),
        **composite_figures(),
        **load,
        **change,
        "rules": rules,
        "cores": os.cpu_count() or 1,
    }


def main() -> None:
    """Print the figures, for people or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rules", type=int, default=100_000, help="how many rules to run")
    options = parser.parse_args()
    figures = measure(options.rules)
    if options.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:30} {figure:>14,}")


if __name__ == "__main__":
    main()
