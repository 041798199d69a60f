"""From a recorded good period to a preventive order: history, fitting, engine, alarms and orders on a real database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select

from alarms.tables import alarm_episode
from app.baseline_fitting import BaselineFitting
from app.engine import Commit, EngineThread
from app.history_thread import HistoryThread
from app.rules_begin import begin_rules, past_in
from app.system import take_baselines
from facility.clock import NS_PER_S, VirtualClock
from facility.errors import HistoryUnavailableError
from facility.history.duckdb_history import DuckDbHistory
from facility.latest import LatestValues
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.storage.database import metadata, open_database, reading
from gateway.events import Delivery
from gateway.inbox import Inbox
from rules.events import RuleTransition, TransitionKind
from simulators.recording import read_recording, shipped_layout
from tests.app.benches import RULE, START_NS, period, shipped_bench
from tests.app.recordings import recorded
from workorders.tables import work_order

GOOD_ROWS = 400
ROWS = 760
"""Up to well after the valve began to close."""


@dataclass(kw_only=True)
class Watch:
    """One engine over a recording, stepped once for every row."""

    database: Engine
    history: DuckDbHistory
    facility: Facility
    rows: list[dict[str, float]]
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START_NS))
    transitions: list[RuleTransition] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rule_id = next(id_ for id_, rule in self.facility.rules.items() if rule.definition.name == RULE)
        self.restart()

    def restart(self) -> None:
        """Put the engine together from database and history, as a start of the process does."""
        with reading(self.database) as connection:
            rules = begin_rules(connection, self.facility, self.history, now_ns=self.clock.now_ns())
        self.keeper = HistoryThread(self.history)
        self.engine = EngineThread(
            database=self.database,
            facility=self.facility,
            rules=rules,
            inbox=Inbox(),
            history=self.keeper,
            latest=LatestValues(max(self.facility.points)),
            clock=self.clock,
            on_commit=self.note,
        )
        self.fitting = BaselineFitting(
            database=self.database,
            history=self.history,
            clock=self.clock,
            facility=lambda: self.engine.facility,
            on_learned=partial(take_baselines, self.engine, self.database, self.history, self.clock),
        )

    def note(self, commit: Commit) -> None:
        self.transitions += [each for each in commit.evaluation.transitions if each.rule_id == self.rule_id]

    def play(self, start: int, end: int) -> None:
        """Let rows of the recording come, one a second."""
        points = {point.name: point.key for point in self.facility.points_of("pump-1")}
        for row in self.rows[start:end]:
            now_ns = self.clock.now_ns()
            samples = [Sample(points[name], now_ns, now_ns, value, Quality.GOOD) for name, value in row.items()]
            self.engine.step([Delivery(connection_id="wire", batch=SampleBatch.of(samples))])
            self.clock.advance(1)
        self.keeper.step()

    def learn_and_watch(self, kills: Collection[int] = ()) -> None:
        """Record the good period, learn from it and watch the rest, with restarts before some rows."""
        self.play(0, GOOD_ROWS)
        self.fitting.step()
        start = GOOD_ROWS
        for kill in [*sorted(kills), ROWS]:
            self.play(start, kill)
            if kill < ROWS:
                self.restart()
            start = kill


def watching(folder: Path, name: str) -> Watch:
    recording = read_recording(recorded(f"pump-testbed/{name}.csv"), shipped_layout("pump-testbed"))
    rows = [{point: float(cell) for point, cell in row.cells.items()} for row in recording.rows[:ROWS]]
    folder.mkdir(exist_ok=True)
    database = open_database(f"sqlite:///{folder / 'bench.db'}")
    metadata.create_all(database)
    with database.begin() as connection:
        facility = shipped_bench(connection, period(0, GOOD_ROWS))
    return Watch(database=database, history=DuckDbHistory(folder / "history"), facility=facility, rows=rows)


def end(watch: Watch) -> None:
    watch.history.close()
    watch.database.dispose()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = watching(tmp_path, "8")
    yield made
    end(made)


def told(watch: Watch) -> list[tuple[TransitionKind, int, int, str]]:
    return [(each.kind, each.at_ns, each.since_ns, each.explanation) for each in watch.transitions]


def test_a_valve_that_closes_raises_an_alarm_that_names_the_flow_and_opens_a_preventive_order(watch: Watch) -> None:
    watch.learn_and_watch()
    raised = watch.transitions[-1]
    assert raised.kind is TransitionKind.RAISED
    assert raised.value > 1.0
    assert raised.explanation.startswith("flow ")
    with reading(watch.database) as connection:
        episode = connection.execute(select(alarm_episode).where(alarm_episode.c.rule_id == watch.rule_id)).all()[-1]
        order = connection.execute(select(work_order)).all()[-1]
    assert episode.asset_id == "pump-1"
    template = watch.facility.assets["pump-1"].equipment_class.orders["inspection"]
    assert (order.kind, order.title) == ("preventive", template.title.model_dump())


def test_before_anything_was_learned_nothing_is_watched(watch: Watch) -> None:
    watch.play(0, ROWS)
    assert watch.transitions == []


@pytest.mark.parametrize("seed", range(3))
def test_restarts_in_the_middle_change_nothing(tmp_path: Path, seed: int) -> None:
    """At random rows, and right before and after the alarm."""
    calm = watching(tmp_path / "calm", "8")
    calm.learn_and_watch()
    at_row = (calm.transitions[-1].at_ns - START_NS) // NS_PER_S
    end(calm)
    killed = watching(tmp_path / "killed", "8")
    random = np.random.default_rng(seed)
    kills = {*random.integers(GOOD_ROWS + 1, ROWS, 6).tolist(), at_row - 5, at_row, at_row + 1}
    killed.learn_and_watch(kills)
    assert told(killed) == told(calm)
    assert [each.value for each in killed.transitions] == pytest.approx([each.value for each in calm.transitions])
    end(killed)


def batch(*readings: tuple[int, float]) -> SampleBatch:
    """Make samples of (point, second); their value is the second."""
    return SampleBatch.of(
        [
            Sample(
                point, START_NS + round(second * NS_PER_S), START_NS + round(second * NS_PER_S), second, Quality.GOOD
            )
            for point, second in readings
        ]
    )


def test_the_past_holds_the_newest_sample_before_it_however_seldom_a_point_spoke(tmp_path: Path) -> None:
    """Point 1 speaks every second, 2 spoke an hour ago and now, 3 two hours ago only, 4 never."""
    history = DuckDbHistory(tmp_path / "history")
    history.append(
        batch((3, -7200), (3, -7100), (2, -3700), (2, -3600), *[(1, second) for second in range(-20, 20)], (2, 5))
    )
    history.commit()
    past = past_in(history, [1, 2, 3, 4], START_NS, START_NS + 10**15)
    found = list(zip(past.point.tolist(), past.value.tolist(), strict=True))
    assert sorted(found) == sorted(
        [(1, float(second)) for second in range(-1, 20)] + [(2, -3600.0), (2, 5.0), (3, -7100.0)]
    )
    for point in (1, 2, 3):
        times = [value for key, value in found if key == point]
        assert times == sorted(times)
    history.close()


class Away(DuckDbHistory):
    """A history whose server is away."""

    def samples(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:  # noqa: ARG002  # as History asks
        raise HistoryUnavailableError("the server", "it is away")


def test_rules_begin_without_a_past_while_the_history_is_away(tmp_path: Path) -> None:
    history = Away(tmp_path / "history")
    assert len(past_in(history, [1], START_NS, START_NS + 1)) == 0
    history.close()
