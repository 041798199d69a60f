"""YAML files that people write, read so that every mistake can name its line and say what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from facility.errors import ConfigurationError, Mistake

Place = tuple[str | int, ...]
"""The way from the top of a file to a value, such as ``("assets", "lift-1", "class")``."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A file's values beside the lines they stand on."""

    name: str
    """As a person would type it."""
    data: Any
    """Plain dictionaries, lists and scalars; keys are always text."""
    lines: Mapping[Place, int]
    """Counted from 1."""

    def line(self, place: Iterable[str | int]) -> int:
        """Return the line of a place, or of the nearest enclosing one that the file has."""
        steps = tuple(place)
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return self.lines.get(steps, 0)

    def mistake(self, place: Iterable[str | int], message: str) -> Mistake:
        """Return a mistake at a place."""
        return Mistake(self.name, self.line(place), message)


def read_yaml(path: Path) -> YamlFile:
    """Read a file.

    Raises:
        ConfigurationError: It cannot be opened, is not UTF-8 or not YAML, or has keys twice; all of them with lines.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError([Mistake(str(path), 0, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([Mistake(str(path), 0, "is not UTF-8; save it with that encoding")]) from error
    return parse_yaml(str(path), text)


def parse_yaml(name: str, text: str) -> YamlFile:
    """Read a file's text; see :func:`read_yaml`."""
    reader = _Reader(name)
    try:
        data = reader.read(text)
    except MarkedYAMLError as error:
        raise ConfigurationError([_syntax_mistake(name, error)]) from error
    except (YAMLError, ValueError) as error:
        # Characters that YAML forbids, and scalars such as 2026-13-45, carry no mark.
        raise ConfigurationError([Mistake(name, 0, f"is not YAML: {error}")]) from error
    except RecursionError as error:
        raise ConfigurationError([Mistake(name, 0, "is nested too deeply or contains itself")]) from error
    if reader.mistakes:
        raise ConfigurationError(reader.mistakes)
    return YamlFile(name, data, reader.lines)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return the end of a message: the nearest known name, or all of them when few, or none when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    if not names:
        return ""
    listed = ", ".join(names[:_LISTED])
    return f"; known are {listed}" + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


_LISTED = 12
"""Names that a message lists before it stops."""


class _Reader:
    """Walks ruamel's tree of nodes, which know their lines, into plain values."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Place, int] = {}
        self.mistakes: list[Mistake] = []
        self._yaml = YAML(typ="safe", pure=True)

    def read(self, text: str) -> Any:  # noqa: ANN401  # whatever the file holds
        root = self._yaml.compose(text)
        return None if root is None else self._value(root, ())

    def _value(self, node: Node, place: Place) -> Any:  # noqa: ANN401
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return dict(self._entries(node, place))
        if isinstance(node, SequenceNode):
            return [self._value(item, (*place, number)) for number, item in enumerate(node.value)]
        return self._yaml.constructor.construct_object(node)

    def _entries(self, node: MappingNode, place: Place) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.mistakes.append(Mistake(self.name, line, "a key must be a name; remove the brackets"))
                continue
            if key.value in seen:
                message = f"{key.value!r} stands here again, first on line {seen[key.value]}; remove or rename one"
                self.mistakes.append(Mistake(self.name, line, message))
                continue
            seen[key.value] = line
            self.lines[*place, key.value] = line
            yield key.value, self._value(value, (*place, key.value))


def _syntax_mistake(name: str, error: MarkedYAMLError) -> Mistake:
    mark = error.problem_mark or error.context_mark
    context = f"{error.context}: " if error.context else ""
    hint = "; indent with spaces, not with a tab" if error.problem and "'\\t'" in error.problem else ""
    return Mistake(name, mark.line + 1 if mark else 0, f"is not YAML here: {context}{error.problem}{hint}")
