"""Why settings were suggested, in the console's languages, with figures."""
# ruff: noqa: RUF001  # Chinese has its own punctuation

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from facility.condition_units import quantity_unit
from facility.definition import LocalText
from facility.units import display_unit
from rules.candidates import Settings
from rules.trial import Candidate, Question

_MANY = 100
"""Alarms a day from which on nobody wants a fraction."""


class _Change(NamedTuple):
    en: str
    zh: str
    words: str
    """Such as ``80 → 84.5 degC``."""


def words_of(question: Question, live: Candidate, chosen: Candidate, *, spread: float, tried: int) -> LocalText:
    """Explain a choice.

    Args:
        question: What was asked.
        live: The rule as it is.
        chosen: What is suggested.
        spread: Standard deviation of the noise of what the limit is held against, in its unit.
        tried: How many settings were tried.
    """
    unit = display_unit(quantity_unit(question.rule.definition.condition, question.point.definition.unit))
    parts = [
        *_difference(live, chosen, unit),
        *_target(question, live, chosen, tried),
        *_labels(question, chosen),
    ]
    if chosen.settings.limit is not None:
        noise = f"{spread:.3g} {unit}".rstrip()
        parts.append(
            LocalText(
                en=f"The noise is {noise} (standard deviation); a deadband below twice that chatters.",
                zh=f"噪声（标准差）为 {noise}；死区小于其两倍时容易反复报警。",
            )
        )
    return LocalText(en=" ".join(part.en for part in parts), zh="".join(part.zh for part in parts))


def _difference(live: Candidate, chosen: Candidate, unit: str) -> Iterator[LocalText]:
    before, after = _times(live.alarms_per_day), _times(chosen.alarms_per_day)
    yield LocalText(en=f"As it is, the rule alarms {before} times a day.", zh=f"现行规则每天报警 {before} 次。")
    changes = list(_changes(live.settings, chosen.settings, unit))
    if changes:
        en = ", ".join(f"{change.en} {change.words}" for change in changes)
        zh = "，".join(f"{change.zh} {change.words}" for change in changes)
        yield LocalText(en=f"With {en} it would be {after}.", zh=f"改为{zh}后，每天报警 {after} 次。")


def _times(count: float) -> str:
    return f"{count:.3g}" if count < _MANY else f"{count:,.0f}"


def _changes(old: Settings, new: Settings, unit: str) -> Iterator[_Change]:
    pairs = (
        ("limit", "限值", old.limit, new.limit, unit),
        ("deadband", "死区", old.deadband, new.deadband, unit),
        ("on-delay", "报警延时", old.on_delay_s, new.on_delay_s, "s"),
        ("off-delay", "恢复延时", old.off_delay_s, new.off_delay_s, "s"),
    )
    for en, zh, was, now, of in pairs:
        if was is not None and now is not None and was != now:
            yield _Change(en, zh, f"{was:g} → {now:g} {of}".rstrip())


def _target(question: Question, live: Candidate, chosen: Candidate, tried: int) -> Iterator[LocalText]:
    target = _times(question.target_per_day)
    if chosen.alarms_per_day > question.target_per_day:
        yield LocalText(
            en=f"None of {tried} settings reaches the target of {target} without losing labelled events.",
            zh=f"试过 {tried} 组参数，没有一组能在不漏报标注事件的前提下达到每天 {target} 次的目标。",
        )
    elif chosen.settings == live.settings:
        yield LocalText(
            en=f"That meets the target of {target}: nothing needs to change.",
            zh=f"已满足每天 {target} 次的目标，无需更改。",
        )


def _labels(question: Question, chosen: Candidate) -> Iterator[LocalText]:
    count = len(question.labels)
    if not count:
        return
    late = chosen.delay_s
    en = "" if late is None else f", {late:.3g} s after they began (median)"
    zh = "" if late is None else f"，中位延迟 {late:.3g} 秒"
    yield LocalText(
        en=f"It tells {chosen.labels_caught} of {count} labelled events{en}.",
        zh=f"标注的 {count} 个事件中报出 {chosen.labels_caught} 个{zh}。",
    )
