"""An hour of Harbour Tower in a minute: real devices on real wires, the whole system, and all that its rules said."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.demo.demo import SCENARIO_FILE, SITE_FILE
from app.demo.field import Outside
from app.engine import Commit
from app.surroundings import environment
from app.system import System, flowing, open_system
from facility.class_files import load_classes
from facility.clock import NS_PER_MS, NS_PER_S
from facility.equipment import System as EquipmentSystem
from facility.model import Facility
from facility.settings import Settings
from facility.site_export import yaml_text
from facility.site_file import read_site
from facility.yaml_file import read_yaml
from rules.baseline import fit
from rules.events import RuleTransition
from rules.learning import Learned, Lesson, lessons, save_learned
from simulators.scenario import Scenario, read_scenario
from simulators.simulation import Simulation, build_simulation
from tests.app.processes import addresses
from tests.servers import mosquitto_in

SPEED: Final = 60.0
START_NS: Final = int(datetime(2026, 11, 27, 12, 0, tzinfo=UTC).timestamp()) * NS_PER_S
"""Eight in the evening in Shanghai."""
HOUR_S: Final = 3_600.0
STRETCH: Final = 60.0
"""The scenario's minute lasts the hour."""
USUAL: Final = {"flow": (117.0, 2.0), "motor_current": (20.0, 0.4), "vibration": (1.2, 0.1)}
"""Mean and spread of what the baseline has learned of."""


class HourClock:
    """A clock that stands at the start until it is let go, and stands again for good once it is stopped."""

    def __init__(self, start_ns: int, speed: float) -> None:
        self.speed = speed
        self._start_ns = start_ns
        self._origin_ns: int | None = None
        self._end_ns: int | None = None

    def now_ns(self) -> int:
        """Return the facility's time."""
        if self._origin_ns is None:
            return self._start_ns
        if self._end_ns is not None:
            return self._end_ns
        return self._start_ns + int((time.monotonic_ns() - self._origin_ns) * self.speed)

    def go(self) -> None:
        """Let time pass."""
        self._origin_ns = time.monotonic_ns()

    def stop(self) -> None:
        """Let no time pass any more, from a whole millisecond on."""
        self._end_ns = -(-self.now_ns() // NS_PER_MS) * NS_PER_MS

    def tick(self) -> None:
        """Let a last millisecond pass."""
        self._end_ns = self.now_ns() + NS_PER_MS


@dataclass(kw_only=True)
class Hour:
    """What was, while the system that saw it is still open."""

    system: System
    start_ns: int
    """When the rules began to watch."""
    end_ns: int = 0
    """When they had decided everything, after the last sample."""
    transitions: list[RuleTransition] = field(default_factory=list)
    """In the order in which they were committed."""

    @property
    def facility(self) -> Facility:
        """Return the tower with its rules."""
        return self.system.facility


@contextmanager
def lived_hour(folder: Path, *, seconds: float = HOUR_S, speed: float = SPEED, seed: int = 7) -> Iterator[Hour]:
    """Let an hour pass, and keep the system open for whoever looks at it."""
    site_file = folder / "tower.yaml"
    site_file.write_text(yaml_text(_tower()), encoding="utf-8")
    clock, broker = HourClock(START_NS, speed), mosquitto_in(folder)
    with broker.running(), environment(addresses(broker.port)):
        site = read_site(site_file, load_classes(), os.environ)
        simulations = [
            build_simulation(site, _scenario(), clock=clock, seed=seed, systems=[kind]) for kind in EquipmentSystem
        ]
        said: list[RuleTransition] = []

        def on_commit(commit: Commit) -> None:
            said.extend(commit.evaluation.transitions)

        settings = Settings(data_dir=folder, site_file=site_file)
        _teach(settings, clock)
        with open_system(settings, clock=clock, on_commit=on_commit) as system:
            hour = Hour(system=system, start_ns=clock.now_ns(), transitions=said)
            asyncio.run(_pass(system, simulations, clock, seconds / speed))
            clock.tick()
            system.engine.step([])  # so that time has decided, too, all that samples of the last instant began
            hour.end_ns = clock.now_ns()
            yield hour


async def _pass(system: System, simulations: Sequence[Simulation], clock: HourClock, wall_s: float) -> None:
    """Let devices and system live; each kind of device on a loop and in a thread of its own, as in the demo."""
    devices = [asyncio.create_task(Outside(simulation.run).run()) for simulation in simulations]
    try:
        async with flowing(system):
            clock.go()
            await asyncio.sleep(wall_s)  # the hour itself, which real devices take
            clock.stop()
    finally:
        for device in devices:
            device.cancel()
        await asyncio.gather(*devices, return_exceptions=True)


def _scenario() -> Scenario:
    scenario = read_scenario(SCENARIO_FILE)
    return replace(scenario, steps=tuple(replace(step, at_s=step.at_s * STRETCH) for step in scenario.steps))


def _tower() -> dict[str, Any]:
    """Return the demo's site with more rules."""
    site: dict[str, Any] = read_yaml(SITE_FILE).data
    rules = read_yaml(Path(__file__).parent / "tower_rules.yaml").data
    for asset in site["assets"]:
        for name, rule in rules.get(asset["id"], {}).items():
            text = {"en": name, "zh": name}
            told = dict.fromkeys(("title", "cause", "consequence", "corrective_action"), text)
            asset.setdefault("rules", {})[name] = {
                **told, "consequence_class": "moderate", "time_to_respond_min": 30, **rule
            }  # fmt: skip
    return site


def _teach(settings: Settings, clock: HourClock) -> None:
    """Let the baseline's rule have learned before the hour begins."""
    with open_system(settings, clock=clock) as system, system.database.begin() as connection:
        for lesson in lessons(system.facility):
            if lesson.period is not None:
                save_learned(connection, _learned(lesson, clock.now_ns()))


def _learned(lesson: Lesson, now_ns: int) -> Learned:
    chance = np.random.default_rng(1)
    names = [point.name for point in lesson.points]
    rows = np.column_stack([chance.normal(*USUAL[name], 2_000) for name in names])
    return Learned(
        rule_id=lesson.rule.id,
        fingerprint=lesson.fingerprint,
        baseline=fit(rows, names=names, smoothing=lesson.condition.smoothing),
        rows=len(rows),
        at_ns=now_ns,
    )
