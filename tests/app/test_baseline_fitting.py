"""Baselines are learned from a real history once their good period is over, and what cannot be learned says why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from app.baseline_fitting import PERIOD_S, RETRY_NS, BaselineFitting, FittingThread
from facility.clock import NS_PER_S, VirtualClock
from facility.conditions import Baseline as BaselineCondition
from facility.errors import HistoryUnavailableError
from facility.history.duckdb_history import DuckDbHistory
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.storage.database import metadata, open_database, reading
from rules.baseline import Baseline, fit
from rules.learning import Learned, load_baselines, load_learned
from tests.app.benches import GOOD_S, POINTS, START_NS, bench, condition, machine, period, samples
from tests.app.processes import wait_until

MONTH_S = 30 * 86_400


class Away(DuckDbHistory):
    """A history whose server may be away."""

    is_away = False

    def samples(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        if self.is_away:
            raise HistoryUnavailableError("the disk", "it is away")
        return super().samples(points, start_ns, end_ns)


@dataclass
class Bench:
    """A bench whose rule asks for something to learn."""

    database: Engine
    history: Away
    facility: Facility
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START_NS))
    reloads: int = 0
    fitting: BaselineFitting = field(init=False)

    def __post_init__(self) -> None:
        self.fitting = BaselineFitting(
            database=self.database,
            history=self.history,
            clock=self.clock,
            facility=lambda: self.facility,
            on_learned=self.note_reload,
        )

    def note_reload(self) -> None:
        self.reloads += 1

    def ask(self, asked: BaselineCondition, only_when: str | None = None) -> None:
        """Change the rule."""
        with self.database.begin() as connection:
            self.facility = bench(connection, asked, only_when)

    def record(self, batch: SampleBatch) -> None:
        self.history.append(batch)
        self.history.commit()

    def step(self, seconds: float = 0.0) -> list[str]:
        """Let time pass and look; return what was logged."""
        self.clock.advance(seconds)
        with capture_logs() as logs:
            self.fitting.step()
        return [f"{entry['event']}: {entry.get('reason', '')}" for entry in logs]

    @property
    def baseline(self) -> Baseline | None:
        with reading(self.database) as connection:
            return load_baselines(connection, self.facility).get(next(iter(self.facility.rules)))

    @property
    def learned(self) -> list[Learned]:
        with reading(self.database) as connection:
            return list(load_learned(connection).values())


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[[BaselineCondition], Bench]]:
    database = open_database(f"sqlite:///{tmp_path / 'bench.db'}")
    metadata.create_all(database)
    history = Away(tmp_path / "history")

    def make(asked: BaselineCondition) -> Bench:
        with database.begin() as connection:
            return Bench(database, history, bench(connection, asked))

    yield make
    history.close()
    database.dispose()


def test_a_period_that_is_over_is_learned_once_and_the_rules_go_on_with_it(
    at: Callable[[BaselineCondition], Bench],
) -> None:
    plant = at(condition(period()))
    rows = machine(GOOD_S)
    plant.record(samples(plant.facility, rows))
    (told,) = plant.step()
    assert told.endswith(
        f"watches nothing yet: its good period 'after commissioning' ends at {period().end.isoformat()}"
    )
    assert plant.step(GOOD_S - 1) == []
    assert plant.step(1) == ["learned a baseline: "]
    assert plant.step(MONTH_S) == []
    assert plant.reloads == 1
    expected = fit(rows, names=POINTS, smoothing=0.1)
    assert plant.baseline is not None
    assert plant.baseline.mean.tolist() == expected.mean.tolist()
    assert plant.baseline.usual == expected.usual


def test_a_rule_without_a_good_period_watches_nothing_and_says_once_what_to_write(
    at: Callable[[BaselineCondition], Bench],
) -> None:
    plant = at(condition(None))
    (told,) = plant.step()
    assert "no good period is named; write good_period: {name, start, end}" in told
    assert plant.step(MONTH_S) == []
    assert (plant.learned, plant.reloads) == ([], 0)


def test_a_period_without_samples_is_said_once_and_looked_at_again_when_they_may_have_come(
    at: Callable[[BaselineCondition], Bench],
) -> None:
    plant = at(condition(period()))
    (told,) = plant.step(GOOD_S)
    assert "the good period has 0 rows with a value of every point and needs 190; choose a longer one" in told
    assert plant.step(RETRY_NS / NS_PER_S - 1) == []
    assert (plant.baseline, plant.learned[0].problem, plant.reloads) == (None, told.split(": ", 1)[1], 0)
    plant.record(samples(plant.facility, machine(GOOD_S)))
    assert plant.step(1) == ["learned a baseline: "]
    assert plant.baseline is not None


def test_a_sensor_that_stood_still_is_named_with_what_to_do(at: Callable[[BaselineCondition], Bench]) -> None:
    plant = at(condition(period()))
    rows = machine(GOOD_S)
    rows[:, 1] = 2.0
    plant.record(samples(plant.facility, rows))
    (told,) = plant.step(GOOD_S)
    assert "motor_current did not move in the good period" in told
    assert "leave it out of the rule's points" in told


def test_bad_samples_and_a_sensor_that_was_silent_leave_their_rows_out(
    at: Callable[[BaselineCondition], Bench],
) -> None:
    plant = at(condition(period()))
    rows = machine(GOOD_S)
    batch = samples(plant.facility, rows)
    wild = rows.copy()
    wild[100:200, 0] = 1e9
    quality = np.where(samples(plant.facility, wild).value > 1e6, Quality.BAD_COMMUNICATION, Quality.GOOD).astype(
        np.uint8
    )
    value = np.where(quality == Quality.GOOD, batch.value, np.nan)
    plant.record(SampleBatch(batch.point, batch.source_time_ns, batch.gateway_time_ns, value, quality))
    plant.step(GOOD_S)
    assert [learned.rows for learned in plant.learned] == [GOOD_S - 100]
    assert plant.baseline is not None
    assert plant.baseline.mean[0] == pytest.approx(120, abs=1)


def test_only_rows_of_the_state_in_which_the_rule_is_watched_are_learned_from(
    at: Callable[[BaselineCondition], Bench],
) -> None:
    """The pump stands for five minutes of its good period, as was told when it stopped and when it started."""
    plant = at(condition(period()))
    plant.ask(condition(period()), "motor_voltage > 100")
    rows = machine(GOOD_S)
    rows[100:400] = 0.0
    plant.record(samples(plant.facility, rows))
    voltage = next(point.key for point in plant.facility.points_of("pump-1") if point.name == "motor_voltage")
    told = [(-7200, 230.0), (100, 0.0), (400, 230.0)]
    at_ns = [START_NS + second * NS_PER_S for second, _ in told]
    plant.record(
        SampleBatch.of(
            [Sample(voltage, ns, ns, volts, Quality.GOOD) for ns, (_, volts) in zip(at_ns, told, strict=True)]
        )
    )
    plant.step(GOOD_S)
    assert [learned.rows for learned in plant.learned] == [GOOD_S - 300]
    assert plant.baseline is not None
    assert plant.baseline.mean[0] == pytest.approx(120, abs=1)


def test_another_good_period_is_learned_anew_and_the_old_one_is_kept(at: Callable[[BaselineCondition], Bench]) -> None:
    plant = at(condition(period()))
    plant.record(samples(plant.facility, machine(2 * GOOD_S)))
    plant.step(2 * GOOD_S)
    first = plant.baseline
    plant.ask(condition(period(GOOD_S, 2 * GOOD_S)))
    assert plant.baseline is None
    plant.step()
    assert first is not None
    assert plant.baseline is not None
    assert plant.baseline.usual != first.usual
    plant.ask(condition(period()))
    assert plant.step() == []
    assert plant.baseline.usual == first.usual
    assert plant.reloads == 2


def test_what_was_learned_outlives_the_samples(at: Callable[[BaselineCondition], Bench]) -> None:
    plant = at(condition(period()))
    plant.record(samples(plant.facility, machine(GOOD_S)))
    plant.step(GOOD_S)
    plant.history.is_away = True
    restarted = Bench(plant.database, plant.history, plant.facility, plant.clock)
    assert restarted.step() == []
    assert restarted.baseline is not None


def test_a_history_or_database_that_is_away_is_told_once_and_learned_from_when_it_is_back(
    at: Callable[[BaselineCondition], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = at(condition(period()))
    plant.record(samples(plant.facility, machine(GOOD_S)))
    plant.history.is_away = True
    assert plant.step(GOOD_S) == ["baselines cannot be learned; it is tried again: "]
    plant.history.is_away = False

    def locked(*_arguments: object) -> None:
        raise OperationalError("insert", {}, Exception("locked"))

    with monkeypatch.context() as patch:
        patch.setattr("app.baseline_fitting.save_learned", locked)
        assert plant.step() == []
    assert plant.step() == ["learned a baseline: ", "baselines can be learned again: "]
    assert plant.baseline is not None


def test_a_period_of_too_many_rows_is_refused_before_anything_is_read(at: Callable[[BaselineCondition], Bench]) -> None:
    plant = at(condition(period(0, MONTH_S)))
    plant.history.is_away = True
    (told,) = plant.step(MONTH_S)
    assert "more than 2000000 rows; write a longer sample_s or choose a shorter period" in told


def test_a_period_over_midnight_has_every_row_once(at: Callable[[BaselineCondition], Bench]) -> None:
    plant = at(condition(period(0.5, 2.5 * 86_400), sample_s=600.0))
    rows = machine(3 * 144)
    keys = {point.name: point.key for point in plant.facility.points_of("pump-1")}
    batch = samples(plant.facility, rows)
    at_ns = START_NS + (batch.source_time_ns - START_NS) * 600
    assert set(batch.point.tolist()) <= set(keys.values())
    plant.record(SampleBatch(batch.point, at_ns, at_ns, batch.value, batch.quality))
    plant.step(3 * 86_400)
    assert [learned.rows for learned in plant.learned] == [2 * 144 + 72 - 1]


def test_the_thread_learns_beside_everything_else_and_ends_with_it(at: Callable[[BaselineCondition], Bench]) -> None:
    plant = at(condition(period()))
    plant.record(samples(plant.facility, machine(GOOD_S)))
    plant.clock.advance(GOOD_S)
    thread = FittingThread(plant.fitting)
    thread.start()
    wait_until(lambda: plant.reloads == 1, within_s=PERIOD_S, why=lambda: "nothing was learned")
    thread.stop()
    assert plant.baseline is not None
