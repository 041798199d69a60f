"""What a back-test found, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from dashboards.backtest_schemas import BacktestResult, FiguresView, RuleOutcome
from facility.priority import Priority

_RULES: Final = 20
"""Rules that the table tells of one by one."""


def result_text(result: BacktestResult) -> str:
    """Return the figures of live rules and drafts beside each other, then rule by rule."""
    lines = [f"{result.samples:,} samples in {result.seconds:g} s", ""]
    lines += _table(["", "live", *(["draft"] if result.draft else [])], _figure_rows(result.live, result.draft))
    if result.draft is not None:
        lines += ["", f"new episodes {result.new}, missed episodes {result.missed}"]
    if result.rules:
        lines += ["", *_table(_RULE_HEAD, (_rule_row(rule) for rule in result.rules[:_RULES]))]
    left = len(result.rules) - _RULES + result.rules_left_off
    if left > 0:
        lines.append(f"… and {left} rules more; --json has {len(result.rules)} of them")
    lines += ["", *_episodes(result.rules)] if result.draft is not None else []
    return "\n".join(lines).rstrip()


_FIGURES: Final[dict[str, Callable[[FiguresView], str]]] = {
    "alarms": lambda it: f"{it.alarms}",
    "alarms per day": lambda it: f"{it.alarms_per_day:.2f}",
    "most in 10 min": lambda it: f"{it.peak_10_min}",
    "floods": lambda it: f"{it.floods}",
    "time in flood": lambda it: f"{it.flood_percent:.2f} %",
    "chattering": lambda it: f"{it.chattering}",
    "fleeting (< 1 min)": lambda it: f"{it.fleeting}",
    "stale (> 24 h)": lambda it: f"{it.stale}",
    "hours in alarm": lambda it: f"{it.in_alarm_s / 3_600:.2f}",
    "priority 1/2/3/4": lambda it: "/".join(str(it.by_priority.get(priority, 0)) for priority in Priority),
    "ten worst rules": lambda it: f"{it.ten_worst_percent:.0f} %",
    "work orders": lambda it: f"{it.orders}",
}
_LABELS: Final[dict[str, Callable[[FiguresView], str]]] = {
    "labels caught": lambda it: f"{it.labels.caught} of {it.labels.labels}" if it.labels else "",
    "false alarms": lambda it: f"{it.labels.false}" if it.labels else "",
    "delay to first alarm": lambda it: (
        f"{it.labels.delay_s:g} s" if it.labels and it.labels.delay_s is not None else ""
    ),
}
_RULE_HEAD: Final = ["rule", "live", "draft", "new", "missed", "orders live", "draft"]


def _figure_rows(live: FiguresView, draft: FiguresView | None) -> Iterable[list[str]]:
    shown = _FIGURES | (_LABELS if live.labels or (draft and draft.labels) else {})
    for name, word in shown.items():
        yield [name, word(live), *([word(draft)] if draft else [])]


def _rule_row(rule: RuleOutcome) -> list[str]:
    live, draft = rule.live, rule.draft
    return [
        f"{rule.asset_id}/{rule.name}",
        f"{live.alarms}" if live else "-",
        f"{draft.alarms}" if draft else "-",
        f"{rule.new}",
        f"{rule.missed}",
        f"{live.orders}" if live else "-",
        f"{draft.orders}" if draft else "-",
    ]


def _episodes(rules: Iterable[RuleOutcome]) -> list[str]:
    """Name the first new and missed episodes."""
    told = [
        f"{word} {_moment(raised)} … {'stands' if cleared is None else _moment(cleared)}  {rule.asset_id}/{rule.name}"
        for rule in rules
        for word, rows in (("new   ", rule.new_episodes), ("missed", rule.missed_episodes))
        for raised, cleared, _ in rows
    ]
    more = [f"… and {len(told) - _RULES} more"] if len(told) > _RULES else []
    return told[:_RULES] + more


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:g} s"


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Return lines with columns as wide as their widest entry, the first to the left, figures to the right."""
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
