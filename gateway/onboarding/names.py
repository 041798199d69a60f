"""From an object's name to the device it belongs to and what it says of it; and from a device's name to an id."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Final, NamedTuple

from gateway.onboarding.vocabulary import Vocabulary

_PATH: Final = re.compile(r"[/.:'|\\]+")
_AFTER_NUMBER: Final = re.compile(r"^(?P<device>.*\d)[\W_]*(?P<leaf>[^\d]*[^\W\d_][^\d]*)$", re.DOTALL)
_WORD_BREAK: Final = re.compile(r"[\s_\-]+")
_ID_LENGTH: Final = 60
"""Of the grammar's 64 characters, so that a number still fits behind."""


class SplitName(NamedTuple):
    """A name in two."""

    device: str
    """Empty: the name says nothing but what is measured."""
    leaf: str
    """Empty: the name says nothing but the device."""


def split_name(name: str, words: Vocabulary) -> SplitName:
    """Return device and leaf of an object's name.

    ``detector-101/heat`` splits at the path, ``Pump 1 Flow`` after the number, ``Fire panel mains failure`` before the
    words that some class's point explains.
    """
    if words.is_nothing_but_a_point(name):
        return SplitName("", name)
    paths, number = list(_splits_at(_PATH, name)), _after_number(name)
    for split in paths:
        if words.is_nothing_but_a_point(split.leaf):
            return split
    if paths and words.explained(paths[-1].leaf):
        return paths[-1]
    for split in (number, *_splits_at(_WORD_BREAK, name)):
        if words.is_nothing_but_a_point(split.leaf):
            return split
    return number if words.explained(number.leaf) else SplitName(name, "")


def _splits_at(separator: re.Pattern[str], name: str) -> Iterator[SplitName]:
    """Return the ways to split a name at a separator, the longest leaf first."""
    for gap in separator.finditer(name):
        if gap.start() and gap.end() < len(name):
            yield SplitName(name[: gap.start()], name[gap.end() :])


def _after_number(name: str) -> SplitName:
    found = _AFTER_NUMBER.match(name)
    return SplitName(found["device"], found["leaf"]) if found else SplitName(name, "")


def asset_id(text: str, fallback: str, taken: Container[str]) -> str:
    """Return an id that the site file's grammar takes and nobody has.

    Args:
        text: The device's name.
        fallback: Used where the name has no letter that an id may have, such as a Chinese one.
        taken: Ids in use.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", text.casefold().encode("ascii", "ignore").decode()).strip("-")[:_ID_LENGTH]
    base = slug.strip("-") or fallback
    number, chosen = 1, base
    while chosen in taken:
        number += 1
        chosen = f"{base}-{number}"
    return chosen
