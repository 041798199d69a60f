"""When a schedule is open, in a site's own time: weekdays, hours, holidays and the two odd days of summer time.

A schedule is a row of *spells*, at most one for each day, from ``start`` on that day to ``end`` on the same or the
next. Where clocks are put back, an hour that comes twice belongs to a spell as a whole: it begins with the first and
ends with the second. A time that clocks skip is read as if they had not been put forward yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from facility.clock import NS_PER_S
from facility.conditions import Schedule


class Calendar(Protocol):
    """A site's own days."""

    def is_holiday(self, day: date) -> bool:
        """Tell whether a day is a holiday."""
        ...

    def is_made_up(self, day: date) -> bool:
        """Tell whether a weekend's day is worked in place of another, as China's make-up days are."""
        ...


_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WORKING_DAYS: Final = frozenset(_DAYS[:5])
_LOOKS_AHEAD: Final = timedelta(days=400)
"""A schedule of holidays alone may have nothing to do for a year."""
_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = "24:00"


class Spell(NamedTuple):
    """A stretch in which a schedule is open, to before ``end_ns``."""

    start_ns: int
    end_ns: int


def is_open(schedule: Schedule, zone: ZoneInfo, calendar: Calendar, at_ns: int) -> bool:
    """Tell whether a schedule is open at a time."""
    day = _local_date(zone, at_ns)
    spells = _spells(schedule, zone, calendar, day - _DAY, day)
    return any(spell.start_ns <= at_ns < spell.end_ns for spell in spells)


def next_change_ns(schedule: Schedule, zone: ZoneInfo, calendar: Calendar, at_ns: int) -> int | None:
    """Return when a schedule opens or closes next, after ``at_ns``; ``None``: not within the next 400 days."""
    day = _local_date(zone, at_ns)
    for spell in _joined(_spells(schedule, zone, calendar, day - _DAY, day + _LOOKS_AHEAD)):
        for edge_ns in spell:
            if edge_ns > at_ns:
                is_end_of_view = _local_date(zone, edge_ns) > day + _LOOKS_AHEAD
                return None if is_end_of_view else edge_ns
    return None


def _joined(spells: Iterator[Spell]) -> Iterator[Spell]:
    """Join spells that touch: where one ends as the next begins, nothing changes."""
    open_spell: Spell | None = None
    for spell in spells:
        if open_spell is not None and spell.start_ns <= open_spell.end_ns:
            open_spell = Spell(open_spell.start_ns, max(open_spell.end_ns, spell.end_ns))
            continue
        if open_spell is not None:
            yield open_spell
        open_spell = spell
    if open_spell is not None:
        yield open_spell


def _spells(schedule: Schedule, zone: ZoneInfo, calendar: Calendar, first: date, last: date) -> Iterator[Spell]:
    day = first
    while day <= last:
        if _begins_on(schedule, calendar, day):
            spell = _spell(schedule, zone, day)
            if spell.start_ns < spell.end_ns:
                yield spell
        day += _DAY


def _begins_on(schedule: Schedule, calendar: Calendar, day: date) -> bool:
    if schedule.holidays == "included":
        return _DAYS[day.weekday()] in schedule.days
    if calendar.is_made_up(day):
        return schedule.holidays == "excluded" and not _WORKING_DAYS.isdisjoint(schedule.days)
    wanted = schedule.holidays == "only"
    return _DAYS[day.weekday()] in schedule.days and calendar.is_holiday(day) is wanted


def _spell(schedule: Schedule, zone: ZoneInfo, day: date) -> Spell:
    # HH:MM sorts as text, and 24:00 is after all.
    last = day if schedule.end > schedule.start else day + _DAY
    if schedule.end == _MIDNIGHT:
        last += _DAY
    start = datetime.combine(day, time.fromisoformat(schedule.start), zone)
    end = datetime.combine(last, time.fromisoformat(schedule.end.replace(_MIDNIGHT, "00:00")), zone)
    return Spell(_utc_ns(start), max(_utc_ns(end), _utc_ns(end.replace(fold=1))))


def _utc_ns(moment: datetime) -> int:
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS_PER_S


def _local_date(zone: ZoneInfo, at_ns: int) -> date:
    return datetime.fromtimestamp(at_ns // NS_PER_S, zone).date()
