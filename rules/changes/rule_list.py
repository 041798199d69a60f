"""Rules as a YAML file: asset, below it each rule by name, below that its definition.

::

    pump-1:
      vibration_high:
        point: vibration
        title: {"en": "Vibration high", "zh": "振动大"}
        condition:
          type: threshold
          limits: {"high": {"value": 4.5}}
          on_delay_s: 5.0
        …
      dry_run: null          # switches the rule off

A file need not hold all rules; what it does not name stays as it is. Sites have 100,000 rules, and reading a YAML file
of that size takes minutes. So the file is cut where a rule begins, and what is as it was written, or as in a rule read
before, is not read again; a file in any other form is read as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from facility.errors import ConfigurationError, Mistake
from facility.model import Facility
from facility.overrides import written_rule
from facility.yaml_file import Place, YamlFile, parse_yaml
from rules.changes.bulk import Entry, Reading

_PLAIN: Final = re.compile(r"[a-z][a-z0-9_]*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""What some reader of YAML takes for something else than a text."""
_ASSET: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):\s*(#.*)?")
_RULE: Final = re.compile(r"( +)([A-Za-z0-9_][A-Za-z0-9._-]*):(\s.*)?")


def write_list(facility: Facility) -> str:
    """Return all rules of a site that are on."""
    texts: dict[str, str] = {}
    parts: list[str] = []
    asset_id = None
    for rule in facility.rules.values():
        if rule.asset_id != asset_id:
            asset_id = rule.asset_id
            parts.append(f"{asset_id}:\n")
        parts.append(_block(rule.definition.name, rule.definition.model_dump_json(), facility, rule.id, texts))
    return "".join(parts)


def read_list(name: str, text: str, facility: Facility) -> Reading:
    """Read a file.

    Args:
        name: Of the file, for its mistakes.
        text: What it says.
        facility: The site as it stands; what is as it is there is not read.

    Raises:
        ConfigurationError: It is no YAML, or has a name twice; lists every mistake with its line.
    """
    blocks = _blocks(text.removeprefix("\ufeff"))
    if blocks is None:
        return _read_whole(name, text)
    try:
        return _Blocks(name, facility).read(blocks)
    except ConfigurationError:
        return _read_whole(name, text)  # which knows the true line, or finds sense in the whole


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines of one rule."""

    asset_id: str
    name: str
    line: int
    """Of its first line, counted from 1."""
    text: str


@dataclass(slots=True)
class _Blocks:
    """Reads rules one by one."""

    name: str
    facility: Facility
    read_before: dict[str, YamlFile] = field(default_factory=dict)

    def read(self, blocks: Sequence[_Block]) -> Reading:
        _refuse_twice(self.name, blocks)
        live = self._live_texts()
        changed = [block for block in blocks if live.get((block.asset_id, block.name)) != block.text.rstrip()]
        return Reading(
            entries=[self._entry(block) for block in changed], mistakes=(), unchanged=len(blocks) - len(changed)
        )

    def _live_texts(self) -> dict[tuple[str, str], str]:
        texts: dict[str, str] = {}
        return {
            (rule.asset_id, rule.definition.name): _block(
                rule.definition.name, rule.definition.model_dump_json(), self.facility, rule.id, texts
            ).rstrip()
            for rule in self.facility.rules.values()
        }

    def _entry(self, block: _Block) -> Entry:
        file = self.read_before.get(block.text)
        if file is None:
            file = self.read_before[block.text] = parse_yaml(self.name, block.text)
        definition = file.data[block.name]
        if definition is not None and not isinstance(definition, dict):
            raise ConfigurationError([Mistake(self.name, block.line, "")])  # told by who reads the whole

        def line(place: Place) -> int:
            return block.line - 1 + file.line((block.name, *place))

        return Entry(asset_id=block.asset_id, name=block.name, definition=definition, line=line)


def _refuse_twice(name: str, blocks: Sequence[_Block]) -> None:
    first: dict[tuple[str, str], int] = {}
    for block in blocks:
        if first.setdefault((block.asset_id, block.name), block.line) != block.line:
            raise ConfigurationError([Mistake(name, block.line, f"{block.asset_id}/{block.name} stands here again")])


def _blocks(text: str) -> list[_Block] | None:
    """Cut a file where its rules begin; ``None``: it has not the usual form."""
    lines = text.splitlines(keepends=True)
    tops = [number for number, line in enumerate(lines) if line.strip() and line[0] not in " #\t"]
    if any(line.strip() and line[0] != "#" for line in lines[: tops[0] if tops else None]):
        return None
    blocks: list[_Block] = []
    seen: set[str] = set()
    for start, end in pairwise([*tops, len(lines)]):
        match = _ASSET.fullmatch(lines[start].rstrip())
        if match is None or match[1] in seen:
            return None
        seen.add(match[1])
        cut = _rules_of(match[1], lines, start + 1, end)
        if cut is None:
            return None
        blocks += cut
    return blocks


def _rules_of(asset_id: str, lines: Sequence[str], start: int, end: int) -> list[_Block] | None:
    starts: list[tuple[int, str]] = []
    depth = None
    for number in range(start, end):
        line = lines[number]
        if not line.strip() or line.lstrip()[0] == "#":
            continue
        indent = len(line) - len(line.lstrip(" "))
        depth = indent if depth is None else depth
        match = _RULE.fullmatch(line.rstrip()) if indent == depth else None
        if indent < depth or (indent == depth and match is None):
            return None
        if match is not None:
            starts.append((number, match[2]))
    ends = [number for number, _ in starts[1:]] + [end]
    return [
        _Block(asset_id, name, number + 1, "".join(lines[number:stop]))
        for (number, name), stop in zip(starts, ends, strict=True)
    ]


def _read_whole(name: str, text: str) -> Reading:
    file = parse_yaml(name, text)
    mistakes: list[Mistake] = []
    entries: list[Entry] = []
    for asset_id, rules in _mapping(file, (), file.data or {}, mistakes):
        for rule, definition in _mapping(file, (asset_id,), rules, mistakes):
            if definition is not None and not isinstance(definition, dict):
                message = f"{rule} wants its definition below it, or null to switch it off, not {definition!r}"
                mistakes.append(file.mistake((asset_id, rule), message))
                continue
            entries.append(_entry_of(file, asset_id, rule, definition))
    return Reading(entries=entries, mistakes=mistakes, unchanged=0)


def _mapping(file: YamlFile, place: Place, data: Any, mistakes: list[Mistake]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if isinstance(data, dict):
        yield from data.items()
    else:
        what = "rules below it" if place else "assets, and below each its rules"
        mistakes.append(file.mistake(place, f"{'/'.join(map(str, place)) or 'the file'} wants {what}, not {data!r}"))


def _entry_of(file: YamlFile, asset_id: str, rule: str, definition: Mapping[str, Any] | None) -> Entry:
    return Entry(
        asset_id=asset_id,
        name=rule,
        definition=definition,
        line=lambda place: file.line((asset_id, rule, *place)),
    )


def _block(name: str, key: str, facility: Facility, rule_id: int, texts: dict[str, str]) -> str:
    """Return a rule's lines; those of rules that are alike are written once."""
    text = texts.get(key)
    if text is None:
        definition = written_rule(facility.rules[rule_id].definition)
        lines = [f"  {name}:", *_lines(definition, "    ")]
        text = texts[key] = "\n".join(lines) + "\n"
    return text


def _lines(definition: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in definition.items():
        if key == "condition":
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{key}: {_value(value)}"


def _value(value: Any) -> str:  # noqa: ANN401  # any JSON
    """Return a value as YAML; what is not plain is written as JSON, which is YAML, too."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
