"""When a schedule is open, on any day of any year and where clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.conditions import Schedule
from facility.holidays import NO_HOLIDAYS, Holidays, SiteCalendar, check_holidays
from facility.schedule import is_open, next_change_ns

S = 1_000_000_000
NONE = SiteCalendar(NO_HOLIDAYS)
CHINA = SiteCalendar(Holidays(country="CN"))
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def at(  # noqa: PLR0917  # as datetime has them
    zone: ZoneInfo, year: int, month: int, day: int, hour: int = 0, minute: int = 0, *, fold: int = 0
) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=zone, fold=fold).timestamp()) * S


def test_a_night_begins_on_one_day_and_ends_on_the_next() -> None:
    night = Schedule(days=["fri"], start="22:00", end="06:00")
    assert not is_open(night, SHANGHAI, NONE, at(SHANGHAI, 2026, 11, 27, 21, 59))
    assert is_open(night, SHANGHAI, NONE, at(SHANGHAI, 2026, 11, 27, 22, 0))
    assert is_open(night, SHANGHAI, NONE, at(SHANGHAI, 2026, 11, 28, 5, 59))
    assert not is_open(night, SHANGHAI, NONE, at(SHANGHAI, 2026, 11, 28, 6, 0))
    assert not is_open(night, SHANGHAI, NONE, at(SHANGHAI, 2026, 11, 28, 23, 0))


def test_all_days_from_midnight_to_midnight_never_close() -> None:
    always = Schedule()
    assert is_open(always, BERLIN, NONE, at(BERLIN, 2026, 3, 29, 2, 30))
    assert next_change_ns(always, BERLIN, NONE, at(BERLIN, 2026, 3, 1)) is None


def test_the_hour_that_comes_twice_belongs_to_the_spell_as_a_whole() -> None:
    early = Schedule(start="01:00", end="02:30")
    for fold in (0, 1):
        assert is_open(early, BERLIN, NONE, at(BERLIN, 2026, 10, 25, 2, 15, fold=fold))
    start_ns = at(BERLIN, 2026, 10, 25, 1, 0)
    assert next_change_ns(early, BERLIN, NONE, start_ns) == start_ns + round(2.5 * 3600 * S)


def test_a_spell_from_an_hour_that_is_skipped_begins_when_it_would_have() -> None:
    early = Schedule(start="02:30", end="05:00")
    assert not is_open(early, BERLIN, NONE, at(BERLIN, 2026, 3, 29, 3, 29))
    assert is_open(early, BERLIN, NONE, at(BERLIN, 2026, 3, 29, 3, 30))


OFFICE = {"days": ["mon", "tue", "wed", "thu", "fri"], "start": "08:00", "end": "18:00"}


@pytest.mark.parametrize(
    ("day", "holidays", "open_at_noon"),
    [
        (date(2026, 2, 17), "included", True),
        (date(2026, 2, 17), "excluded", False),  # Chinese New Year, a Tuesday
        (date(2026, 2, 17), "only", True),
        (date(2026, 2, 25), "only", False),
        (date(2026, 2, 28), "included", False),  # a Saturday that is worked
        (date(2026, 2, 28), "excluded", True),
        (date(2026, 2, 28), "only", False),
        (date(2026, 3, 7), "excluded", False),
    ],
)
def test_offices_close_on_holidays_and_open_on_the_days_worked_in_their_place(
    day: date,
    holidays: str,
    open_at_noon: bool,  # noqa: FBT001  # a column of the table
) -> None:
    office = Schedule.model_validate({**OFFICE, "holidays": holidays})
    noon_ns = at(SHANGHAI, day.year, day.month, day.day, 12)
    assert is_open(office, SHANGHAI, CHINA, noon_ns) is open_at_noon


def test_a_site_has_holidays_of_its_own_and_leaves_others_out() -> None:
    said = Holidays.model_validate(
        {"country": "DE", "subdivision": "BY", "extra": ["2026-11-27"], "except": ["2026-01-06"]}
    )
    calendar = SiteCalendar(said)
    assert calendar.is_holiday(date(2026, 11, 27))
    assert not calendar.is_holiday(date(2026, 1, 6))
    assert calendar.is_holiday(date(2026, 6, 4))  # Corpus Christi, in Bavaria
    assert not SiteCalendar(Holidays(country="DE")).is_holiday(date(2026, 6, 4))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"country": "CM"}, []),
        ({"country": "China"}, ["'China' is no country whose holidays are known"]),
        ({"country": "DE", "subdivision": "XX"}, ["'XX' has no holidays of its own in DE"]),
        ({"subdivision": "BY"}, ["'BY' has no holidays of its own in no country"]),
        ({"extra": ["2026-01-01"], "except": ["2026-01-01"]}, ["2026-01-01 stands in extra as well"]),
    ],
)
def test_holidays_that_cannot_be_are_told(said: dict[str, object], told: list[str]) -> None:
    messages = [message for _, message in check_holidays(Holidays.model_validate(said))]
    assert [message[: len(begin)] for message, begin in zip(messages, told, strict=True)] == told


clocks = st.builds(lambda hour, quarter: f"{hour:02}:{quarter * 15:02}", st.integers(0, 23), st.integers(0, 3))
schedules = st.builds(
    lambda days, start, end, holidays: Schedule(days=sorted(days), start=start, end=end, holidays=holidays),
    st.sets(st.sampled_from(OFFICE["days"]) | st.sampled_from(["sat", "sun"]), min_size=1),
    clocks,
    clocks,
    st.sampled_from(["included", "excluded", "only"]),
).filter(lambda schedule: schedule.start != schedule.end)
zones = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "Africa/Casablanca"]
)
moments = st.integers(0, 730 * 86_400).map(
    lambda second: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
) | st.sampled_from(
    [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)]
)


@given(schedule=schedules, zone=zones, moment=moments)
def test_between_two_changes_nothing_changes(schedule: Schedule, zone: str, moment: datetime) -> None:
    at_ns = int(moment.timestamp()) * S
    change_ns = next_change_ns(schedule, ZoneInfo(zone), CHINA, at_ns)
    before = is_open(schedule, ZoneInfo(zone), CHINA, at_ns)
    end_ns = change_ns or at_ns + 60 * 86_400 * S
    steps = range(at_ns, end_ns, max((end_ns - at_ns) // 50, 1))
    assert {is_open(schedule, ZoneInfo(zone), CHINA, step_ns) for step_ns in steps} == {before}
    assert is_open(schedule, ZoneInfo(zone), CHINA, end_ns - 1) is before
    if change_ns is not None:
        assert change_ns > at_ns
        assert is_open(schedule, ZoneInfo(zone), CHINA, change_ns) is not before


@given(schedule=schedules, zone=zones, moment=moments)
def test_what_the_wall_clock_shows_decides_on_days_on_which_it_does_not_change(
    schedule: Schedule, zone: str, moment: datetime
) -> None:
    local = moment.astimezone(ZoneInfo(zone))
    around = [(local + timedelta(days=days)).utcoffset() for days in (-2, 2)]
    if around[0] != around[1] or schedule.holidays != "included":
        return
    today, yesterday = (("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(local.weekday() - n) % 7] for n in (0, 1))
    clock, wraps = f"{local:%H:%M}", schedule.end <= schedule.start
    began_today = today in schedule.days and schedule.start <= clock and (wraps or clock < schedule.end)
    began_yesterday = yesterday in schedule.days and wraps and clock < schedule.end
    assert is_open(schedule, ZoneInfo(zone), NONE, int(moment.timestamp()) * S) is (began_today or began_yesterday)
