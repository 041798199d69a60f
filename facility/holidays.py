"""A site's holidays: those of its country, and what the site itself adds or takes away.

::

    site:
      id: harbour-tower
      time_zone: Asia/Shanghai
      holidays: {country: CN, extra: [2026-11-27], except: [2026-01-02]}

The package ``holidays`` knows the countries, and of China also the weekend days that are worked in place of others.
Such lists are published year by year: what next year brings is known only to a Watchkeeper that is newer than its
list, and until then ``extra`` and ``except`` say it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import holidays
from pydantic import Field

from facility.definition import Definition
from facility.grammar import Finding
from facility.yaml_file import did_you_mean


class Holidays(Definition):
    """What a site says of its holidays."""

    country: str | None = None
    """ISO 3166-1 code, such as ``CN``; ``None``: only the days in ``extra`` are holidays."""
    subdivision: str | None = None
    """State or province where it has holidays of its own, such as ``BY``; ``None``: those of the whole country."""
    extra: list[date] = Field(default_factory=list)
    """Days that are holidays here besides."""
    except_days: list[date] = Field(default_factory=list, alias="except")
    """Days that are none here."""


NO_HOLIDAYS = Holidays()


def check_holidays(said: Holidays) -> Iterator[Finding]:
    """Yield what is wrong with what a site says of its holidays."""
    countries = _countries()
    if said.country is not None and said.country not in countries:
        hint = did_you_mean(said.country, countries)
        yield ("country",), f"{said.country!r} is no country whose holidays are known{hint}"
    elif said.subdivision is not None:
        parts = countries.get(said.country or "", [])
        if said.subdivision not in parts:
            where = said.country or "no country"
            hint = did_you_mean(said.subdivision, parts)
            yield ("subdivision",), f"{said.subdivision!r} has no holidays of its own in {where}{hint}"
    for number, day in enumerate(said.except_days):
        if day in said.extra:
            yield ("except", number), f"{day} stands in extra as well; take it out of one of them"


class SiteCalendar:
    """Tells a site's holidays; used by one thread at a time."""

    def __init__(self, said: Holidays) -> None:
        self._extra = frozenset(said.extra)
        self._except = frozenset(said.except_days)
        self._country: Any = None  # the package's types leave out what is asked here
        if said.country is not None:
            self._country = holidays.country_holidays(said.country, subdiv=said.subdivision)

    def is_holiday(self, day: date) -> bool:
        """Tell whether a day is a holiday."""
        if day in self._extra or day in self._except:
            return day in self._extra
        return self._country is not None and day in self._country

    def is_made_up(self, day: date) -> bool:
        """Tell whether a weekend's day is worked in place of another."""
        if self._country is None or day in self._extra:
            return False
        self._country.get(day)  # only what was asked for is there
        return day in self._country.weekend_workdays


@cache
def _countries() -> dict[str, list[str]]:
    return holidays.list_supported_countries(include_aliases=False)
