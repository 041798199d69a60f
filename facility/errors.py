"""The one tree of errors.

::

    WatchkeeperError                 HTTP status
    ├── ConfigurationError               422      a file has mistakes; lists every one with its line
    ├── UnitError (also a ValueError)    422      a unit is unknown, or cannot become the other
    ├── NotFoundError                    404
    ├── StaleCommandError                409      the thing changed since the person looked
    ├── ForbiddenError                   403
    ├── UnauthenticatedError             401
    ├── InvalidCommandError              422      a guard refused; the message says what is missing
    ├── DeviceUnreachableError           502
    ├── DeviceRefusedError               502      a device answered that it will not do it
    ├── CommandFailedError               502      a command was sent and the device does not show it
    └── HistoryUnavailableError          503      the database of samples did not answer

Every leaf's message says what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class WatchkeeperError(Exception):
    """Base of all errors that Watchkeeper raises on purpose."""

    status: ClassVar[int] = 500
    """The HTTP status that the API answers with."""
    title: ClassVar[str] = "Watchkeeper failed"
    """The problem+json title: the same for every instance of the class."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong in a file that a person wrote."""

    file: str
    line: int
    """Counted from 1; 0 when the file as a whole is meant."""
    message: str
    """What is wrong and what to write instead."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class ConfigurationError(WatchkeeperError):
    """A configuration file has mistakes; all of them are listed at once."""

    status = 422
    title = "The configuration has mistakes"

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class UnitError(WatchkeeperError, ValueError):
    """A unit is unknown, or two units do not measure the same quantity."""

    status = 422
    title = "The units do not fit"


class NotFoundError(WatchkeeperError):
    """Something named in a command does not exist."""

    status = 404
    title = "Not found"


class StaleCommandError(WatchkeeperError):
    """The state changed since the person looked; look again and decide again."""

    status = 409
    title = "It changed since you looked"


class InvalidCommandError(WatchkeeperError):
    """A guard refused the command; the message says what is missing."""

    status = 422
    title = "Not possible now"


class UnauthenticatedError(WatchkeeperError):
    """Nobody is logged in on this connection."""

    status = 401
    title = "Log in first"


class ForbiddenError(WatchkeeperError):
    """The role of the account does not include this."""

    status = 403
    title = "Your role does not allow this"


class DeviceUnreachableError(WatchkeeperError):
    """A device as a whole did not answer."""

    status = 502
    title = "Device unreachable"

    def __init__(self, device: str, endpoint: str, timeout_s: float) -> None:
        super().__init__(
            f"{device} did not answer at {endpoint} within {timeout_s:g} s. Check its power, and that this host may "
            f"reach that port."
        )


class DeviceRefusedError(WatchkeeperError):
    """A device answered, and would not do what it was asked to."""

    status = 502
    title = "The device refused"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place} refused: {reason}. Compare the device's own settings and manual with its profile.")


class CommandFailedError(WatchkeeperError):
    """A command ended without the device showing what it was told; the message is the command's own detail."""

    status = 502
    title = "The device did not follow"


class HistoryUnavailableError(WatchkeeperError):
    """The database of samples did not answer, or refused."""

    status = 503
    title = "History unavailable"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"The history at {place} failed: {reason}. Check that it runs, has disk space left and that the settings "
            "name it rightly; samples wait in memory until then."
        )
