"""Reads docker-compose.yml as compose does, to start the same commands as plain processes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One of our own services: what its container would be told."""

    command: list[str]
    environment: dict[str, str]
    files: dict[str, Path]
    """Path in the container to the file of the checkout that is mounted there."""

    def command_here(self) -> list[str]:
        """Return the command with every mounted file's path as it is on this machine."""
        return [str(self.files.get(word, word)) for word in self.command]

    def environment_here(self, replacements: Mapping[str, str]) -> dict[str, str]:
        """Return the environment with mounted paths and other containers' names replaced."""
        here = {}
        for name, value in self.environment.items():
            text = str(self.files.get(value, value))
            for container, address in replacements.items():
                text = text.replace(container, address)
            here[name] = text
        return here


def service(name: str, variables: Mapping[str, str]) -> Service:
    """Read one service with its variables filled in."""
    content = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
    raw = _filled(content["services"][name], variables)
    mounts = (entry.split(":") for entry in raw.get("volumes", []))
    return Service(
        command=raw["command"],
        environment=raw["environment"],
        files={target: ROOT / source for source, target, *_ in mounts if source.startswith(".")},
    )


def _filled(value: Any, variables: Mapping[str, str]) -> Any:  # noqa: ANN401  # YAML's own nesting
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _variable(match, variables), value)
    return value


def _variable(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    if match["name"] in variables:
        return variables[match["name"]]
    assert match["kind"] == "-", f"docker-compose.yml needs {match['name']}"
    return match["rest"]
