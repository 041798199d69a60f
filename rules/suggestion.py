"""Proposes limit, deadband and delays for a rule, from what its point did.

Candidates (:mod:`rules.candidates`) are all rules on one point and run through the kernel in one pass, so that what is
proposed is what would happen. A rate, a window's figure or a counter's increase is computed once, and tuned as if it
were a point. What nothing else beats makes the trade-off curve: with labels in alarms per day, labels
caught and time to detection; without, in alarms per day, the limit and the delay.

The choice meets the target, catches as many labels as anything does, and moves the limit least: a limit has a meaning
to engineers, which delays and deadbands only serve. No on-delay is proposed that takes more than a quarter of the time
that people have to respond, and nothing that only alarms more rarely because its alarms hardly ever end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

from facility.conditions import ForbiddenState, Limited, LimitSide, State
from facility.definition import LocalText
from facility.errors import InvalidCommandError
from facility.model import Point, Rule
from facility.quality import BAD_FROM
from facility.samples import SampleBatch
from rules.candidates import Course, Flags, Settings, deadbands, delays, lengths_s, limits, noise
from rules.layout import Kernel
from rules.signals.quantities import computed_samples, quantity_of
from rules.suggestion_words import words_of
from rules.trial import Candidate, Question, Trial, Tunable, with_settings

SHARE_OF_RESPONSE: Final = 0.25
"""Of the time to respond that an on-delay may take."""
LONGEST_OFF_DELAY_S: Final = 3_600.0
MOST_LIMITS: Final = 10
"""Limits that are tried with every deadband and delay; those whose alarms are nearest to the target."""
MOST_IDLE_PERCENT: Final = 5.0
"""Of the time without a label that an alarm may stand; more only where it does so live and nothing is labelled."""
MOST_ON_CURVE: Final = 40
MOST_COMPUTED: Final = 3_000_000
"""Samples of which a quantity is computed: a month of a point at 1 Hz, half a minute."""
FEWEST_SAMPLES: Final = 100
_FEW: Final = 0.1
"""Alarms a day that no two limits are told apart by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What is proposed, and what else could be had."""

    side: LimitSide | None
    """The limit that is moved; ``None`` for a state."""
    live: Candidate
    curve: tuple[Candidate, ...]
    """From few alarms to many."""
    chosen: Candidate
    condition: Tunable
    """The rule's condition with the chosen settings."""
    words: LocalText
    """Why, with figures."""


def tunable(rule: Rule) -> Tunable:
    """Return the condition of a rule for which settings can be suggested.

    Raises:
        InvalidCommandError: It is of another kind, or watched only now and then.
    """
    definition = rule.definition
    condition = definition.condition
    if isinstance(condition, Tunable) and not (definition.only_when or definition.schedule):
        return condition
    raise InvalidCommandError(
        "Settings are suggested for limits and states of one point that are always watched, and "
        f"{definition.name} of {rule.asset_id} is another kind of rule. Try drafts of it instead."
    )


def suggest(question: Question, *, fast: Kernel) -> Suggestion:
    """Find settings that meet the target without losing a labelled event.

    Raises:
        InvalidCommandError: The rule has nothing to turn, or the period has no samples.
    """
    condition = tunable(question.rule)
    question = _computed(question, condition)
    course = _course(question.samples)
    if len(course.at_ns) < FEWEST_SAMPLES:
        found = len(course.at_ns)
        raise InvalidCommandError(f"The period has {found} usable samples of the point. Choose a longer one.")
    side = _side(condition, course)
    live = _live(condition, side)
    trial = Trial(question, condition, side, fast)
    levels = _limits(question, course, side, live, trial)
    beyond = _is_true(condition, side, live, course, question.point)
    grid = {live, *_grid(question, course, beyond, live, levels)}
    tried = trial.run(sorted(grid, key=lambda each: (_distance(each, live), each)))
    present = next(each for each in tried if each.settings == live)
    has_labels = bool(question.labels)
    useful = _quiet(tried, present, has_labels=has_labels)
    chosen = _choice(useful, live, question.target_per_day)
    return Suggestion(
        side=side,
        live=present,
        curve=_curve(useful, side, has_labels=has_labels),
        chosen=chosen,
        condition=with_settings(condition, side, chosen.settings),
        words=words_of(question, present, chosen, spread=noise(course.value), tried=len(tried)),
    )


def _computed(question: Question, condition: Tunable) -> Question:
    """Return the question with what the limits are held against."""
    quantity = quantity_of(condition)
    if quantity is None:
        return question
    if len(question.samples) > MOST_COMPUTED:
        raise InvalidCommandError(
            f"The period has more than {MOST_COMPUTED:,} samples to compute with. Choose a shorter one."
        )
    return replace(question, samples=computed_samples(quantity, question.samples))


def _course(samples: SampleBatch) -> Course:
    usable = (samples.quality < BAD_FROM) & np.isfinite(samples.value)
    order = np.argsort(samples.source_time_ns[usable], kind="stable")
    return Course(samples.source_time_ns[usable][order], samples.value[usable][order])


def _side(condition: Tunable, course: Course) -> LimitSide | None:
    """Return the limit to move: the inner one of the side on which the values are beyond more often."""
    if not isinstance(condition, Limited):
        return None
    inner = [
        next((side for side in sides if side in condition.limits), None)
        for sides in ((LimitSide.HIGH, LimitSide.HIGH_HIGH), (LimitSide.LOW, LimitSide.LOW_LOW))
    ]
    found = [side for side in inner if side is not None]
    return max(found, key=lambda side: int(_beyond(course, side, condition.limits[side].value).sum()))


def _is_upper(side: LimitSide) -> bool:
    return side in (LimitSide.HIGH, LimitSide.HIGH_HIGH)


def _beyond(course: Course, side: LimitSide, limit: float) -> Flags:
    return course.value > limit if _is_upper(side) else course.value < limit


def _live(condition: Tunable, side: LimitSide | None) -> Settings:
    limit, deadband = None, 0.0
    if isinstance(condition, Limited) and side is not None:
        limit, deadband = condition.limits[side].value, condition.deadband
    return Settings(limit=limit, deadband=deadband, on_delay_s=condition.on_delay_s, off_delay_s=condition.off_delay_s)


def _limits(
    question: Question, course: Course, side: LimitSide | None, live: Settings, trial: Trial
) -> list[float | None]:
    """Return the limits to try: of those that fit between the rule's other limits, the nearest to the target."""
    if side is None or live.limit is None:
        return [None]
    found = limits(course, question.labels, is_upper=_is_upper(side))
    fitting = [replace(live, limit=limit) for limit in found if trial.fits(limit)]
    tried = trial.run(fitting)
    tried.sort(key=lambda each: abs(np.log((each.alarms_per_day + _FEW) / (question.target_per_day + _FEW))))
    telling = [each for each in tried if each.labels_caught == len(question.labels)]
    return [live.limit, *(each.settings.limit for each in [*telling[:MOST_LIMITS], *tried][:MOST_LIMITS])]


def _grid(
    question: Question, course: Course, beyond: Flags, live: Settings, levels: Sequence[float | None]
) -> list[Settings]:
    """Return every limit with every deadband and delay; ``beyond`` tells where the live condition holds."""
    excursions, pauses = lengths_s(course, beyond, question.labels)
    longest_s = max(60.0 * question.rule.definition.time_to_respond_min * SHARE_OF_RESPONSE, live.on_delay_s)
    on_delays = {live.on_delay_s, *delays(excursions, longest_s)}
    off_delays = {live.off_delay_s, *delays(pauses, LONGEST_OFF_DELAY_S)}
    bands = {live.deadband} if live.limit is None else {live.deadband, *deadbands(course.value)}
    return [
        Settings(limit=limit, deadband=band, on_delay_s=on, off_delay_s=off)
        for limit, band, on, off in product(levels, bands, on_delays, off_delays)
    ]


def _is_true(condition: Tunable, side: LimitSide | None, live: Settings, course: Course, point: Point) -> Flags:
    """Tell of each value whether the live condition holds, less deadband and delays."""
    match condition:
        case State(states=names):
            return np.isin(course.value, [point.definition.states[name] for name in names])
        case ForbiddenState(allowed=names):
            return ~np.isin(course.value, [point.definition.states[name] for name in names])
        case Limited() if side is not None and live.limit is not None:
            return _beyond(course, side, live.limit)
    raise AssertionError(f"{condition.type} is not tunable")


def _distance(settings: Settings, live: Settings) -> float:
    return 0.0 if settings.limit is None or live.limit is None else abs(settings.limit - live.limit)


def _quiet(tried: Sequence[Candidate], live: Candidate, *, has_labels: bool) -> list[Candidate]:
    """Return the candidates whose alarms end; all where none has such."""
    most = MOST_IDLE_PERCENT if has_labels else max(MOST_IDLE_PERCENT, live.idle_percent)
    return [each for each in tried if each.idle_percent <= most] or list(tried)


def _choice(tried: Sequence[Candidate], live: Settings, target_per_day: float) -> Candidate:
    """Return the candidate that meets the target, catches as many labels as any, and changes least.

    Where none meets it, the one with the fewest alarms among those that catch as many.
    """
    most = max(each.labels_caught for each in tried)
    telling = [each for each in tried if each.labels_caught == most]
    meeting = [each for each in telling if each.alarms_per_day <= target_per_day]
    if not meeting:
        return min(telling, key=lambda each: each.alarms_per_day)
    return min(
        meeting,
        key=lambda each: (
            _distance(each.settings, live),
            each.settings.on_delay_s,
            each.settings.off_delay_s,
            abs(each.settings.deadband - live.deadband),
        ),
    )


def _curve(tried: Sequence[Candidate], side: LimitSide | None, *, has_labels: bool) -> tuple[Candidate, ...]:
    """Return what nothing else beats, from few alarms to many."""
    best: dict[tuple[float, ...], Candidate] = {}
    for each in tried:
        best.setdefault(_objectives(each, side, has_labels=has_labels), each)
    table = np.array(list(best))
    is_beaten = [bool(((table <= row).all(axis=1) & (table < row).any(axis=1)).any()) for row in table]
    kept = [each for each, beaten in zip(best.values(), is_beaten, strict=True) if not beaten]
    kept.sort(key=lambda each: each.alarms_per_day)
    places = np.unique(np.linspace(0, len(kept) - 1, MOST_ON_CURVE).round().astype(int))
    return tuple(kept[place] for place in places.tolist())


def _objectives(candidate: Candidate, side: LimitSide | None, *, has_labels: bool) -> tuple[float, ...]:
    """Return what is to be small."""
    if has_labels:
        wait_s = math.inf if candidate.delay_s is None else candidate.delay_s
        return candidate.alarms_per_day, -candidate.labels_caught, wait_s
    limit = candidate.settings.limit or 0.0
    late = limit if side is None or _is_upper(side) else -limit
    return candidate.alarms_per_day, late, candidate.settings.on_delay_s
