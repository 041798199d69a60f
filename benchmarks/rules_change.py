"""How long alarms wait while an approved change of a rule becomes live at a site of many rules.

The engine's thread carries an approval out between two steps, and what it takes there is what an alarm that comes
meanwhile waits for. Counted is the time of the core, so that other programs on the machine count little: the median of
several changes of one limit each, one after the other. The rules have watched for a while, so each of them has saved
state.

``change_pause_ms``
    At the site of :mod:`benchmarks.rules_load`, where the kernel decides everything on samples.
``change_pause_computed_ms``
    Every fourth rule of the same site is about a rate of change, and a limit of such a rule is changed.
"""

from __future__ import annotations

import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from sqlalchemy import Connection, Engine

from app.engine import EngineThread
from app.history_thread import HistoryThread
from app.live_site import LiveSite
from app.rule_change import RunningRules, own_gateway_told
from app.system import nothing_more, settled_memory
from benchmarks.rules_load import NOW_NS, imported, rule
from dashboards.hub import LiveHub
from dashboards.services import Services
from facility.clock import VirtualClock
from facility.conditions import LimitDefinition, LimitSide, RateOfChange
from facility.equipment import EquipmentClass, RuleDefinition
from facility.history.duckdb_history import DuckDbHistory
from facility.latest import LatestValues
from facility.model import Facility
from facility.quality import Quality
from facility.samples import SampleBatch
from facility.storage.database import reading
from facility.storage.repository import load_facility
from gateway.events import Delivery
from gateway.gateway import Gateway
from gateway.inbox import Inbox, urgent_points
from people.model import Account, Role
from people.service import create_account
from rules.changes import repository, service
from rules.changes.model import Wanted
from rules.engine import RuleEngine

T = TypeVar("T")

_CHANGES = 7
_VALUES = (5.0, -5.0, 0.0)
"""Beyond all upper limits, beyond all lower ones, and back: no delay ends."""
_STEP_S = 0.25


def change_figures(rules: int) -> dict[str, float]:
    """Return how long the engine is held up by a change of one among so many rules."""
    return {
        "change_pause_ms": _pause_ms(rules, rule, LimitSide.LOW_LOW),
        "change_pause_computed_ms": _pause_ms(rules, _rule_or_rate, LimitSide.LOW_LOW),
    }


def _rule_or_rate(side: LimitSide, limit: float) -> RuleDefinition:
    definition = rule(side, limit)
    if side is not LimitSide.LOW_LOW:
        return definition
    limits = {LimitSide.HIGH: LimitDefinition(value=100.0 - limit)}
    return definition.model_copy(
        update={"condition": RateOfChange(type="rate_of_change", window_s=60, per="min", limits=limits)}
    )


class _Engine(EngineThread):
    """An engine whose thread does not run: what others want done is done at once, and timed."""

    held_s = 0.0
    """By the last job."""

    def perform(self, job: Callable[[], T]) -> T:
        began_s = time.thread_time()
        result = super().perform(job)
        self.held_s = time.thread_time() - began_s
        return result


def _pause_ms(rules: int, definition: Callable[[LimitSide, float], RuleDefinition], changed: LimitSide) -> float:
    with tempfile.TemporaryDirectory() as folder:
        database, classes = imported(Path(folder), rules, definition)
        plant = _Plant.of(Path(folder), database, classes)
        with settled_memory():
            chosen = [key for key, each in plant.facility.rules.items() if each.definition.name == changed]
            held = [plant.change(rule_id) for rule_id in chosen[:: len(chosen) // _CHANGES]]
        plant.history.close()
        database.dispose()
    return round(1000 * statistics.median(held), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plant:
    """The parts of a server that a change of rules concerns."""

    database: Engine
    engine: _Engine
    history: DuckDbHistory
    running: RunningRules
    author: Account
    reviewer: Account

    @classmethod
    def of(cls, folder: Path, database: Engine, classes: dict[str, EquipmentClass]) -> _Plant:
        """Let everything have run for a while."""
        clock, history = VirtualClock(NOW_NS), DuckDbHistory(folder / "history")
        with database.begin() as connection:
            facility = load_facility(connection, classes, {})
            author, reviewer = (_engineer(connection, login) for login in ("author", "reviewer"))
        latest, inbox = LatestValues(max(facility.points)), Inbox(urgent=urgent_points(facility))
        engine = _Engine(
            database=database,
            facility=facility,
            rules=RuleEngine(facility, now_ns=NOW_NS),
            inbox=inbox,
            history=HistoryThread(history),
            latest=latest,
            clock=clock,
            on_commit=nothing_more,
        )
        services = Services(
            database=database,
            facility=facility,
            clock=clock,
            latest=latest,
            history=history,
            hub=LiveHub(database, facility, latest, clock),
            connections={},
            started_at_ns=NOW_NS,
            session_valid_for_s=3600.0,
        )
        for value in _VALUES:
            clock.advance(_STEP_S)
            engine.step([Delivery(connection_id="bus", batch=_everywhere(facility, value, clock.now_ns()))])
        live = LiveSite(database=database, engine=engine, inbox=inbox, services=services, clock=clock, profiles={})
        running = RunningRules(live, partial(own_gateway_told, Gateway([])))
        return cls(database=database, engine=engine, history=history, running=running, author=author, reviewer=reviewer)

    @property
    def facility(self) -> Facility:
        """Return the site as it is now."""
        return self.engine.facility

    def change(self, rule_id: int) -> float:
        """Move a limit of a rule; return how many seconds the engine was held up."""
        definition = self.facility.rules[rule_id].definition.model_dump(mode="json", exclude={"name"})
        for limit in definition["condition"]["limits"].values():
            limit["value"] += 0.125
        with reading(self.database) as connection:
            live = repository.live_rule(connection, rule_id)
        with self.database.begin() as connection:
            change = service.propose(
                connection,
                self.facility,
                [Wanted(rule_id=rule_id, base=live.revision, definition=definition)],
                reason="it runs hot",
                actor=self.author,
                now_ns=NOW_NS,
            )
        self.running.approve(change.id, version=1, comment="yes", actor=self.reviewer)
        return self.engine.held_s


def _engineer(connection: Connection, login: str) -> Account:
    return create_account(
        connection, login=login, name=login, role=Role.ENGINEER, password=secrets.token_hex(), now_ns=NOW_NS
    )


def _everywhere(facility: Facility, value: float, now_ns: int) -> SampleBatch:
    """Return one sample of each point."""
    keys = np.array(sorted(facility.points), np.int32)
    times = np.full(len(keys), now_ns, np.int64)
    qualities = np.full(len(keys), Quality.GOOD, np.uint8)
    return SampleBatch(keys, times, times, np.full(len(keys), value), qualities)
