"""The words by which engineers name equipment, points and states, and how well a name fits them (``words.yaml``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from facility.yaml_file import read_yaml

WORDS: Final = Path(__file__).with_name("words.yaml")

_PIECE: Final = re.compile(r"[A-ZÄÖÜ]+(?![a-zäöüß])|[A-ZÄÖÜ]?[a-zäöüß]+|\d+|[^\W\d_A-Za-zÄÖÜäöüß]+")
"""A word of a name: ``MotorTemp``, ``motor_temp`` and ``MOTOR-TEMP`` have the same two."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that must all stand in a name."""

    words: frozenset[str]
    text: str
    """The phrase as a whole, for scripts that write no spaces between words."""

    def fit(self, name: Name) -> int:
        """Return how many of a name's words it explains; 0 where it does not fit."""
        if self.words <= name.words:
            return len(self.words)
        return 1 if not self.text.isascii() and self.text in name.text else 0


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is compared."""

    words: frozenset[str]
    text: str
    """In small letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Everything that ``words.yaml`` says."""

    classes: Mapping[str, tuple[Phrase, ...]]
    points: Mapping[str, Mapping[str, tuple[Phrase, ...]]]
    """Class to point to phrases."""
    states: Mapping[str, tuple[Phrase, ...]]
    main: Mapping[str, str]
    """Class to the point that an object stands for when its name says nothing but the device's."""
    contacts: Mapping[str, tuple[str, str]]
    """``class/point`` to the states of a contact at rest and of one that is active."""

    def class_fit(self, equipment_class: str, text: str) -> int:
        """Return how well a text names a class; 0 where it does not."""
        return _best(self.classes[equipment_class], name_of(text))

    def point_fit(self, equipment_class: str, point: str, text: str) -> int:
        """Return how well a text names a point of a class; 0 where it does not."""
        return _best(self.points[equipment_class].get(point, ()), name_of(text))

    def explained(self, text: str) -> int:
        """Return how many of a text's words the best point of any class explains."""
        name = name_of(text)
        return max(_best(phrases, name) for points in self.points.values() for phrases in points.values())

    def is_nothing_but_a_point(self, text: str) -> bool:
        """Tell whether a point of some class explains every word."""
        return bool(text) and self.explained(text) >= len(name_of(text).words) > 0

    def state(self, text: str, states: Iterable[str]) -> str | None:
        """Return which of a point's states a text means; ``None`` where it could be none of them."""
        name = name_of(text)
        fits = {state: _best((_phrase(state.replace("_", " ")), *self.states.get(state, ())), name) for state in states}
        best = max(fits, key=lambda state: fits[state], default=None)
        return best if best is not None and fits[best] else None


@cache
def vocabulary() -> Vocabulary:
    """Return the shipped words."""
    data = read_yaml(WORDS).data
    return Vocabulary(
        classes={name: _phrases(said) for name, said in data["classes"].items()},
        points={
            name: {point: _phrases(said) for point, said in points.items()} for name, points in data["points"].items()
        },
        states={name: _phrases(said) for name, said in data["states"].items()},
        main=data["main"],
        contacts={place: (rest, active) for place, (rest, active) in data["contacts"].items()},
    )


@lru_cache(maxsize=65_536)
def name_of(text: str) -> Name:
    """Return a text as it is compared: its words in full, in small letters."""
    short = _abbreviations()
    pieces = (piece.casefold() for piece in _PIECE.findall(text))
    return Name(frozenset(short.get(piece, piece) for piece in pieces), text.casefold())


@cache
def _abbreviations() -> Mapping[str, str]:
    data = read_yaml(WORDS).data["abbreviations"]
    return {short.casefold(): word for word, shorts in data.items() for short in shorts}


def _phrases(texts: Iterable[object]) -> tuple[Phrase, ...]:
    return tuple(_phrase(str(text)) for text in texts)


def _phrase(text: str) -> Phrase:
    return Phrase(name_of(text).words, text.casefold())


def _best(phrases: Iterable[Phrase], name: Name) -> int:
    return max((phrase.fit(name) for phrase in phrases), default=0)
