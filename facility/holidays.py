"""A site's holidays."""

from __future__ import annotations

from datetime import date


class NoHolidays:
    """The calendar of a site that names none."""

    def is_holiday(self, day: date) -> bool:  # noqa: ARG002  # as the protocol wants it
        """Return that it is none."""
        return False

    def is_made_up(self, day: date) -> bool:  # noqa: ARG002  # as the protocol wants it
        """Return that it is none."""
        return False
