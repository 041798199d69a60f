"""What the log says of values that turn bad: once when they do and once when they are good again.

A sensor with a loose contact goes bad and good several times a second. Each relapse doubles how long its values must be
good before the log says so, so that it fills neither the log nor hides what else is in there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_PATIENCE_S: Final = 0.5
"""Wall seconds for which values must be good before their return is told the first time."""

LONGEST_PATIENCE_S: Final = 3600.0
"""Wall seconds beyond which the patience does not grow; after so long a time without trouble it starts anew."""


@dataclass(slots=True)
class Trouble:
    """Whether one source's values are in trouble as far as the log is told; times are seconds of any steady clock."""

    told: bool = False
    """The log says that it is in trouble, and not yet that it is over."""
    _patience_s: float = FIRST_PATIENCE_S
    _last_bad_s: float = float("-inf")
    _again: bool = False

    def bad(self, now_s: float) -> bool:
        """Take note of bad values; return whether the log is to be told."""
        if now_s - self._last_bad_s > LONGEST_PATIENCE_S:
            self._patience_s, self._again = FIRST_PATIENCE_S, False
        self._last_bad_s = now_s
        if self.told:
            return False
        if self._again:
            self._patience_s = min(2 * self._patience_s, LONGEST_PATIENCE_S)
        self.told = self._again = True
        return True

    def good(self, now_s: float) -> bool:
        """Take note of good values; return whether the log is to be told that the trouble is over."""
        if not self.told or now_s - self._last_bad_s < self._patience_s:
            return False
        self.told = False
        return True
