"""A scenario: a script in time that says which device suffers which fault when.

::

    steps:
      - {at_s: 6, device: lift-3, inject: passenger_trapped}
      - {at_s: 40, device: lift-3, clear: passenger_trapped}
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from facility.definition import Definition
from facility.errors import ConfigurationError, Mistake
from facility.grammar import validate
from facility.yaml_file import YamlFile, did_you_mean, read_yaml
from simulators.device import SimulatedDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the script."""

    at_s: float
    """Facility seconds after the simulation's start."""
    device: str
    """Asset id."""
    inject: str | None = None
    """The fault that starts; ``None`` when the step ends one."""
    clear: str | None = None
    """The fault that ends; ``None`` when the step starts one."""
    line: int = 0
    """Where it stands in its file, counted from 1; 0 for a step made in code."""

    @property
    def fault(self) -> str:
        """Return the fault that the step is about."""
        return self.inject or self.clear or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Steps in the order of their time."""

    steps: tuple[Step, ...] = ()
    file: str = "scenario"
    """What mistakes are reported against."""

    def check(self, devices: Mapping[str, SimulatedDevice], known_assets: Collection[str]) -> None:
        """Compare the steps with what the devices can suffer.

        Args:
            devices: The simulated devices by asset id.
            known_assets: All asset ids of the site; steps for assets that are not simulated now are not mistakes.

        Raises:
            ConfigurationError: A step names an unknown asset or fault; every such step is listed.
        """
        mistakes = [
            Mistake(self.file, step.line, message)
            for step in self.steps
            if (message := _misfit(step, devices, known_assets)) is not None
        ]
        if mistakes:
            raise ConfigurationError(mistakes)


class _StepEntry(Definition):
    """A step as the file spells it."""

    at_s: float = Field(ge=0.0, allow_inf_nan=False)
    device: str = Field(min_length=1)
    inject: str | None = Field(default=None, min_length=1)
    clear: str | None = Field(default=None, min_length=1)


class _ScenarioFile(Definition):
    steps: list[_StepEntry]


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from YAML.

    Raises:
        ConfigurationError: The file cannot be read or has mistakes; all are listed with their lines.
    """
    file = read_yaml(path)
    mistakes: list[Mistake] = []
    document = validate(_ScenarioFile, file, file.data, mistakes)
    mistakes += _undecided(file)
    entries = document.steps if document is not None else []
    steps = sorted(_steps(file, entries), key=lambda step: step.at_s)
    if not mistakes:
        mistakes += (Mistake(file.name, step.line, message) for step, message in _out_of_order(steps))
    if mistakes:
        raise ConfigurationError(mistakes)
    return Scenario(steps=tuple(steps), file=file.name)


def _steps(file: YamlFile, entries: Iterable[_StepEntry]) -> Iterator[Step]:
    for number, entry in enumerate(entries):
        yield Step(**entry.model_dump(), line=file.line(("steps", number)))


def _undecided(file: YamlFile) -> Iterator[Mistake]:
    """Find steps that say both or neither; in the raw data, so that they are found beside all other mistakes."""
    entries = file.data.get("steps") if isinstance(file.data, dict) else None
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict) and ("inject" in entry) == ("clear" in entry):
            yield file.mistake(("steps", number), "a step has either 'inject' or 'clear', with the name of a fault")


def _out_of_order(steps: Iterable[Step]) -> Iterator[tuple[Step, str]]:
    """Find faults that are injected twice or cleared before they are there."""
    lasting: set[tuple[str, str]] = set()
    for step in steps:
        key = (step.device, step.fault)
        if step.inject is not None and key in lasting:
            yield step, f"{step.fault!r} of {step.device} lasts already; clear it first"
        if step.clear is not None and key not in lasting:
            yield step, f"{step.fault!r} of {step.device} is cleared before it is injected"
        (lasting.add if step.inject is not None else lasting.discard)(key)


def _misfit(step: Step, devices: Mapping[str, SimulatedDevice], known_assets: Collection[str]) -> str | None:
    device = devices.get(step.device)
    if device is not None and step.fault not in device.faults:
        return f"{step.device} cannot suffer {step.fault!r}{did_you_mean(step.fault, device.faults)}"
    if device is None and step.device not in known_assets:
        return f"the site has no asset {step.device!r}{did_you_mean(step.device, known_assets)}"
    return None
