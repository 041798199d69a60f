"""What rules learned is kept with all that it depends on, in both databases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Engine

from facility.conditions import Baseline as BaselineCondition
from facility.storage.database import reading
from rules.baseline import Baseline, fit
from rules.learning import Learned, Lesson, lessons, load_baselines, load_learned, save_learned
from tests.app.benches import POINTS, bench, condition, machine, period

LEARNED = fit(machine(600), names=POINTS, smoothing=0.1)


def taught(database: Engine, asked: BaselineCondition) -> Lesson:
    """Return what the bench's rule has to learn."""
    with database.begin() as connection:
        (lesson,) = lessons(bench(connection, asked))
    return lesson


def keep(database: Engine, lesson: Lesson, baseline: Baseline | None, problem: str = "") -> Learned:
    learned = Learned(
        rule_id=lesson.rule.id, fingerprint=lesson.fingerprint, baseline=baseline, rows=600, at_ns=7, problem=problem
    )
    with database.begin() as connection:
        save_learned(connection, learned)
    return learned


def baseline_for(database: Engine, asked: BaselineCondition) -> Baseline | None:
    """Return what the engine is given for the bench's rule."""
    with database.begin() as connection:
        facility = bench(connection, asked)
        return load_baselines(connection, facility).get(next(iter(facility.rules)))


def test_a_baseline_comes_back_to_the_last_bit(database: Engine) -> None:
    asked = condition(period())
    assert baseline_for(database, asked) is None
    keep(database, taught(database, asked), LEARNED)
    kept = baseline_for(database, asked)
    assert kept is not None
    assert (kept.smoothing, kept.usual) == (LEARNED.smoothing, LEARNED.usual)
    for name in ("mean", "spread", "centre", "precision"):
        assert np.array_equal(getattr(kept, name), getattr(LEARNED, name))


@pytest.mark.parametrize(
    "changes",
    [
        {"good_period": period(10)},
        {"good_period": None},
        {"points": POINTS[:2]},
        {"points": POINTS[::-1]},
        {"sample_s": 2.0},
        {"smoothing": 0.2},
    ],
)
def test_what_was_learned_holds_for_the_same_lesson_only_and_is_found_again_after_a_roll_back(
    database: Engine, changes: dict[str, object]
) -> None:
    asked = condition(period())
    keep(database, taught(database, asked), LEARNED)
    changed = BaselineCondition.model_validate({**asked.model_dump(), **changes})
    assert baseline_for(database, changed) is None
    assert baseline_for(database, asked) is not None


@pytest.mark.parametrize("changes", [{"limit_factor": 6.0}, {"on_delay_s": 30.0}])
def test_a_moved_limit_and_another_name_of_the_period_need_nothing_to_be_learned_anew(
    database: Engine, changes: dict[str, object]
) -> None:
    asked = condition(period())
    keep(database, taught(database, asked), LEARNED)
    renamed = period().model_copy(update={"name": "a calm week"})
    assert baseline_for(database, asked.model_copy(update={**changes, "good_period": renamed})) is not None


def test_a_later_success_takes_the_place_of_a_failure(database: Engine) -> None:
    lesson = taught(database, condition(period()))
    keep(database, lesson, None, "the good period has 0 rows")
    assert baseline_for(database, condition(period())) is None
    learned = keep(database, lesson, LEARNED)
    with reading(database) as connection:
        (found,) = load_learned(connection).values()
    assert replace(found, baseline=None) == replace(learned, baseline=None)
    assert found.baseline is not None
