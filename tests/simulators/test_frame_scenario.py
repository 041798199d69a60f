from __future__ import annotations

from pathlib import Path

import pytest

from facility.clock import VirtualClock
from facility.errors import ConfigurationError
from simulators.device import SimulatedDevice
from simulators.doors.door import Door
from simulators.lifts.lift import Lift
from simulators.scenario import Scenario, Step, read_scenario
from simulators.simulation import Simulation

DEMO = Path(__file__).parents[2] / "app" / "demo" / "harbour_tower_scenario.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaints(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        read_scenario(path)
    return [f"{mistake.line}: {mistake.message}" for mistake in raised.value.mistakes]


def test_steps_are_played_in_the_order_of_their_time_wherever_they_stand(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "steps:\n  - {at_s: 9, device: lift-1, clear: overspeed}\n  - {at_s: 2.5, device: lift-1, inject: overspeed}\n",
    )
    assert read_scenario(path).steps == (
        Step(at_s=2.5, device="lift-1", inject="overspeed", line=3),
        Step(at_s=9.0, device="lift-1", clear="overspeed", line=2),
    )


def test_every_mistake_of_a_scenario_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "steps:\n"
        "  - {at_s: -1, device: lift-1, inject: overspeed}\n"
        "  - {at_s: 2, devise: lift-1, inject: overspeed}\n"
        "  - {at_s: 3, device: lift-1}\n"
        "  - {at_s: 4, device: lift-1, inject: overspeed, clear: overspeed}\n"
        "  - overspeed\n",
    )
    told = complaints(path)
    assert [text.partition(":")[0] for text in told] == ["2", "3", "3", "4", "5", "6"]
    assert any("did you mean 'device'?" in text for text in told)


def test_a_fault_is_neither_injected_twice_nor_cleared_before_it_is_there(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "steps:\n"
        "  - {at_s: 5, device: lift-2, clear: overspeed}\n"
        "  - {at_s: 6, device: lift-3, inject: overspeed}\n"
        "  - {at_s: 7, device: lift-3, inject: overspeed}\n",
    )
    assert complaints(path) == [
        "2: 'overspeed' of lift-2 is cleared before it is injected",
        "4: 'overspeed' of lift-3 lasts already; clear it first",
    ]


def test_a_file_without_steps_says_what_to_write(tmp_path: Path) -> None:
    assert "'steps' is missing" in complaints(written(tmp_path, "step: []\n"))[-1]


def test_faults_that_a_device_cannot_suffer_are_refused_before_anything_plays() -> None:
    devices: dict[str, SimulatedDevice] = {"lift-1": Lift("lift-1", seed=1), "door-1": Door("door-1", seed=1)}
    scenario = Scenario(
        file="bad.yaml",
        steps=(
            Step(at_s=1, device="lift-1", inject="overspeeed", line=2),
            Step(at_s=2, device="dor-1", inject="forced", line=3),
            Step(at_s=3, device="pump-1", inject="cavitation", line=4),
        ),
    )
    with pytest.raises(ConfigurationError) as raised:
        scenario.check(devices, {"lift-1", "door-1", "pump-1"})
    first, second = raised.value.mistakes
    assert (first.line, second.line) == (2, 3)
    assert "did you mean 'overspeed'?" in first.message
    assert "did you mean 'door-1'?" in second.message


def test_what_was_injected_and_cleared_is_remembered_as_the_truth() -> None:
    clock = VirtualClock(start_ns=100)
    simulation = Simulation([_StillWire(Door("door-1", seed=1))], Scenario(), clock=clock)
    simulation.inject("door-1", "tamper")
    simulation.inject("door-1", "tamper")
    clock.advance(2.0)
    simulation.clear("door-1", "tamper")
    simulation.clear("door-1", "tamper")
    simulation.inject("door-1", "forced")
    assert [(truth.fault, truth.at_ns, truth.cleared_ns) for truth in simulation.injections] == [
        ("tamper", 100, 2_000_000_100),
        ("forced", 2_000_000_100, None),
    ]


def test_the_script_of_the_demo_fails_every_system_within_its_minute() -> None:
    scenario = read_scenario(DEMO)
    kinds = {step.device.split("-", maxsplit=1)[0] for step in scenario.steps if step.inject}
    assert kinds >= {"lift", "pump", "fire", "detector", "call", "door"}
    assert scenario.steps[-1].at_s <= 50
    injected = {step.fault for step in scenario.steps if step.inject and step.device.startswith(("lift-", "door-"))}
    assert injected == Lift.faults | Door.faults


class _StillWire:
    """A wire for devices that nobody needs to read."""

    def __init__(self, *devices: Door) -> None:
        self.devices = devices

    async def run(self) -> None:
        """End at once."""
