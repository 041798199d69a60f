"""From what a person types to what is tested: rules by name, files of drafts and of labels, times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from dashboards.backtest_schemas import LabelWindow, StartBacktest, TestedRule
from facility.errors import ConfigurationError, Mistake
from facility.yaml_file import YamlFile, did_you_mean, read_yaml

RuleIds = Callable[[str], Mapping[str, int]]
"""Gives the ids of an asset's rules by name; none for an asset that does not exist."""

_PER_LABEL: Final = frozenset({"rule", "asset", "from", "to", "note"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a person typed."""

    rules: Sequence[str] = ()
    """As ``asset/rule``."""
    drafts: Path | None = None
    change_id: int | None = None
    labels: Path | None = None
    start: datetime
    end: datetime


def request_of(typed: Typed, ids: RuleIds) -> StartBacktest:
    """Return what is to be tested; without rules, drafts and change, all rules.

    Raises:
        ConfigurationError: A file has mistakes, a name is unknown, or the period has no length.
    """
    drafts = {} if typed.drafts is None else _drafts(read_yaml(typed.drafts), ids)
    named = {_id_of(name, ids, "--rule", 0) for name in typed.rules}
    rules = [TestedRule(rule_id=key, definition=drafts.get(key)) for key in sorted(named | drafts.keys())]
    try:
        return StartBacktest(
            from_ms=_ms(typed.start),
            to_ms=_ms(typed.end),
            rules=rules,
            change_id=typed.change_id,
            all=not rules and typed.change_id is None,
            labels=[] if typed.labels is None else list(_labels(read_yaml(typed.labels), ids)),
        )
    except ValidationError as error:
        raise ConfigurationError([Mistake("backtest", 0, each["msg"]) for each in error.errors()]) from error


def moment_of(text: str) -> datetime:
    """Return a time that was typed: ISO 8601, UTC where it names no zone.

    Raises:
        ValueError: It is none.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _id_of(name: str, ids: RuleIds, file: str, line: int) -> int:
    asset_id, _, short = name.partition("/")
    known = ids(asset_id)
    if short not in known:
        hint = did_you_mean(short, known) if known else "; write it as asset/rule"
        raise ConfigurationError([Mistake(file, line, f"there is no rule {name!r}{hint}")])
    return known[short]


def _drafts(file: YamlFile, ids: RuleIds) -> dict[int, dict[str, Any]]:
    """Read ``rules: {asset/rule: {what differs from the live rule}}``."""
    rules = file.data.get("rules") if isinstance(file.data, dict) else None
    if not isinstance(rules, dict) or not all(isinstance(written, dict) for written in rules.values()):
        message = "write rules: {pump-1/bearing_temperature_high: {condition: …}}, what differs from the live rule"
        raise ConfigurationError([file.mistake(("rules",), message)])
    return {_id_of(name, ids, file.name, file.line(("rules", name))): written for name, written in rules.items()}


def _labels(file: YamlFile, ids: RuleIds) -> Iterator[LabelWindow]:
    """Read a list of ``{rule: asset/rule, from: time, to: time}``, with ``asset`` or nothing instead of ``rule``."""
    if not isinstance(file.data, list):
        raise ConfigurationError([file.mistake((), "write a list, each with from and to, and with rule or asset")])
    for number, each in enumerate(file.data):
        if not isinstance(each, dict) or not {"from", "to"} <= each.keys() <= _PER_LABEL:
            message = f"write from and to, and of these: {', '.join(sorted(_PER_LABEL))}"
            raise ConfigurationError([file.mistake((number,), message)])
        try:
            yield LabelWindow(
                rule_id=_id_of(each["rule"], ids, file.name, file.line((number,))) if "rule" in each else None,
                asset_id=each.get("asset"),
                from_ms=_ms(moment_of(str(each["from"]))),
                to_ms=_ms(moment_of(str(each["to"]))),
            )
        except ValueError as error:  # pydantic's as well
            message = f"from and to are times such as 2026-11-21T08:00:00Z, the earlier one first ({error})"
            raise ConfigurationError([file.mistake((number,), message)]) from error
