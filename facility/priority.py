"""How urgent an alarm is, and how that follows from what happens and how soon.

Nobody chooses a priority: a rule says how grave its worst consequence is and how many minutes are left to prevent it,
and a matrix that the whole site shares gives the priority. That is the rationalisation of ISA-18.2 (IEC 62682) and
EEMUA 191, whose examples cross a few severities with a few spans of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple


class Priority(IntEnum):
    """Alarm priority, 1 the most urgent; priority 1 wants a comment when it is acknowledged."""

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class ConsequenceClass(StrEnum):
    """How grave the worst credible consequence is if nobody acts, from the least up.

    The gravest of safety, law, property and service counts.
    """

    MINOR = "minor"
    """Nobody is in danger, no duty is touched, a repair out of petty cash; people hardly notice."""
    MODERATE = "moderate"
    """Discomfort or a nuisance; a duty that can still be met; wear, or a part to exchange; service gets worse, and goes
    on."""
    MAJOR = "major"
    """A person may be hurt or a stranger be inside; a duty is broken (a zone is not watched); a machine or a room is
    damaged; a lift, a pump or a supply stands."""
    SEVERE = "severe"
    """Lives are in danger; the protection that the law wants for the whole building is lost; a fire or a flood; the
    building must be left."""

    @property
    def rank(self) -> int:
        """Return its place from the least grave, 0, up."""
        return list(ConsequenceClass).index(self)


class ResponseBand(StrEnum):
    """How long people have, from the shortest up.

    The standards leave the spans to the site. Examples for control rooms end at half an hour; here somebody has to walk
    to a plant room, or drive to the building, so there is one span more.
    """

    IMMEDIATE = "immediate"
    """Up to 5 min: only who is in the building can help."""
    PROMPT = "prompt"
    """Up to 15 min: whoever is on duty drops other work."""
    SOON = "soon"
    """Up to an hour: a technician on call reaches the building."""
    LATER = "later"
    """More than an hour: it can be planned."""


BAND_ENDS_MIN: Final[Mapping[ResponseBand, float]] = {
    ResponseBand.IMMEDIATE: 5.0,
    ResponseBand.PROMPT: 15.0,
    ResponseBand.SOON: 60.0,
}
"""The last minute of each band; what is longer is :attr:`ResponseBand.LATER`."""


Pair = tuple[ConsequenceClass, ResponseBand]


@dataclass(frozen=True, slots=True)
class PriorityMatrix:
    """What a site makes of class and time; every pair has a priority."""

    priorities: Mapping[ConsequenceClass, Mapping[ResponseBand, Priority]]


def _row(*priorities: int) -> dict[ResponseBand, Priority]:
    return {band: Priority(priority) for band, priority in zip(ResponseBand, priorities, strict=True)}


SHIPPED_MATRIX: Final = PriorityMatrix(
    {
        ConsequenceClass.SEVERE: _row(1, 1, 1, 2),
        ConsequenceClass.MAJOR: _row(1, 2, 2, 3),
        ConsequenceClass.MODERATE: _row(2, 3, 3, 4),
        ConsequenceClass.MINOR: _row(3, 4, 4, 4),
    }
)
"""Used where a site says nothing else; columns as in :class:`ResponseBand`."""


def edited(
    matrix: PriorityMatrix, changes: Mapping[ConsequenceClass, Mapping[ResponseBand, Priority]]
) -> PriorityMatrix:
    """Return a matrix with some of its priorities changed; the matrix itself where none differs."""
    priorities = {grave: {**row, **changes.get(grave, {})} for grave, row in matrix.priorities.items()}
    return matrix if priorities == matrix.priorities else PriorityMatrix(priorities)


def written_matrix(matrix: PriorityMatrix) -> dict[str, dict[str, int]]:
    """Return a matrix as it is kept and written."""
    return {
        grave.value: {band.value: int(priority) for band, priority in row.items()}
        for grave, row in matrix.priorities.items()
    }


def read_matrix(written: Mapping[str, Mapping[str, int]] | None) -> PriorityMatrix:
    """Return the matrix that :func:`written_matrix` wrote; ``None``: the shipped one."""
    rows = {
        ConsequenceClass(grave): {ResponseBand(band): Priority(priority) for band, priority in row.items()}
        for grave, row in (written or {}).items()
    }
    return edited(SHIPPED_MATRIX, rows)


@lru_cache(maxsize=256)  # asked some times for each of 100,000 rules, which say few different times
def band_of(time_to_respond_min: float) -> ResponseBand:
    """Return the band of a time in minutes; an end belongs to the shorter band."""
    return next((band for band, end in BAND_ENDS_MIN.items() if time_to_respond_min <= end), ResponseBand.LATER)


def priority_of(matrix: PriorityMatrix, consequence_class: ConsequenceClass, time_to_respond_min: float) -> Priority:
    """Return how urgent something is.

    Args:
        matrix: The site's.
        consequence_class: What happens if nobody acts.
        time_to_respond_min: Minutes until then.
    """
    return matrix.priorities[consequence_class][band_of(time_to_respond_min)]


class Disorder(NamedTuple):
    """A pair of class and band that is less urgent than one that is less grave or leaves more time."""

    pair: Pair
    other: Pair
    message: str
    """What to do about it."""


def disorders(matrix: PriorityMatrix) -> Iterator[Disorder]:
    """Yield all that keeps a matrix from use: what is graver, or leaves less time, must be at least as urgent."""
    for grave in ConsequenceClass:
        for sooner, later in pairwise(ResponseBand):
            yield from _disorder(matrix, (grave, sooner), (grave, later))
    for lesser, grave in pairwise(ConsequenceClass):
        for band in ResponseBand:
            yield from _disorder(matrix, (grave, band), (lesser, band))


def _disorder(matrix: PriorityMatrix, pair: Pair, other: Pair) -> Iterator[Disorder]:
    (here, name), (there, another) = _shown(matrix, pair), _shown(matrix, other)
    if here > there:
        message = (
            f"{name} has priority {here} and {another} has {there}, although it is graver or leaves less time; give "
            f"{name} {there} or less, or {another} {here} or more"
        )
        yield Disorder(pair, other, message)


def _shown(matrix: PriorityMatrix, pair: Pair) -> tuple[Priority, str]:
    grave, band = pair
    return matrix.priorities[grave][band], f"'{grave}: {band}'"
