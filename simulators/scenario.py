"""A scenario: a script in time that says which device suffers which fault when.

::

    steps:
      - {at_s: 6, device: lift-3, inject: passenger_trapped}
      - {at_s: 40, device: lift-3, clear: passenger_trapped}
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from facility.errors import ConfigurationError, Mistake
from simulators.device import SimulatedDevice

STEP_KEYS = ("at_s", "device", "inject", "clear")


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


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from YAML.

    Raises:
        ConfigurationError: The file has mistakes; all are listed with their lines.
        OSError: The file cannot be read.
    """
    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigurationError([Mistake(str(path), line, f"not valid YAML: {error.problem}")]) from error
    reader = _Reader(str(path))
    steps = tuple(sorted(reader.steps(document), key=lambda step: step.at_s))
    if reader.mistakes:
        raise ConfigurationError(reader.mistakes)
    return Scenario(steps=steps, file=str(path))


class _Reader:
    """Turns the YAML tree into steps and gathers what is wrong on the way."""

    def __init__(self, file: str) -> None:
        self.mistakes: list[Mistake] = []
        self._file = file

    def steps(self, document: object) -> Iterator[Step]:
        if not isinstance(document, CommentedMap) or not isinstance(document.get("steps"), CommentedSeq):
            self._mistake(1, "write a list named `steps`, each `{at_s: 6, device: lift-1, inject: overspeed}`")
            return
        for key in document:
            if key != "steps":
                self._mistake(document.lc.key(key)[0] + 1, f"unknown key `{key}`; only `steps` stands here")
        sequence = document["steps"]
        for index, entry in enumerate(sequence):
            step = self._step(entry, sequence.lc.item(index)[0] + 1)
            if step is not None:
                yield step

    def _step(self, entry: object, line: int) -> Step | None:
        if not isinstance(entry, CommentedMap):
            self._mistake(line, "a step is written `{at_s: 6, device: lift-1, inject: overspeed}`")
            return None
        before = len(self.mistakes)
        self._check_keys(entry, line)
        self._check_values(entry, line)
        return None if len(self.mistakes) > before else Step(**_plain(entry), line=line)

    def _check_keys(self, entry: CommentedMap, line: int) -> None:
        for key in entry:
            if key not in STEP_KEYS:
                self._mistake(line, f"unknown key `{key}`{did_you_mean(str(key), STEP_KEYS)}")
        if ("inject" in entry) == ("clear" in entry):
            self._mistake(line, "a step has either `inject` or `clear`, with the name of a fault")

    def _check_values(self, entry: CommentedMap, line: int) -> None:
        at_s = entry.get("at_s")
        if isinstance(at_s, bool) or not isinstance(at_s, int | float) or not 0 <= at_s < float("inf"):
            self._mistake(line, "`at_s` is a number of seconds after the start, 0 or more")
        for key in ("device", "inject", "clear"):
            if (key == "device" or key in entry) and not (isinstance(entry.get(key), str) and entry[key]):
                self._mistake(line, f"`{key}` is a name")

    def _mistake(self, line: int, message: str) -> None:
        self.mistakes.append(Mistake(self._file, line, message))


def _plain(entry: CommentedMap) -> dict[str, Any]:
    return {**{key: str(entry[key]) for key in entry if key != "at_s"}, "at_s": float(entry["at_s"])}


def _misfit(step: Step, devices: Mapping[str, SimulatedDevice], known_assets: Collection[str]) -> str | None:
    device = devices.get(step.device)
    if device is None:
        if step.device in known_assets:
            return None
        return f"the site has no asset `{step.device}`{did_you_mean(step.device, known_assets)}"
    if step.fault in device.faults:
        return None
    guess = did_you_mean(step.fault, device.faults) or f"; it can suffer {', '.join(sorted(device.faults))}"
    return f"`{step.device}` cannot suffer `{step.fault}`{guess}"


def did_you_mean(written: str, possible: Collection[str]) -> str:
    """Return ``; did you mean `x`?`` for the nearest name, or nothing when none is near."""
    near = difflib.get_close_matches(written, sorted(possible), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
