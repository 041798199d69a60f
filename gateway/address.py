"""Address parameters: text in braces that each asset of a profile fills with its own value.

``{root}/motion`` takes the asset's ``root``; ``analog-input,{instance + 1000}`` adds a number to it. Text that is
nothing but one parameter (``"{unit}"``) takes the parameter's own type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_PARAMETER: Final = re.compile(r"\{\s*(?P<name>\w+)\s*(?P<shift>[+-]\s*\d+)?\s*\}")


def parameters(value: object) -> set[str]:
    """Return the names of all parameters within nested mappings and lists."""
    return {match["name"] for text in _texts(value) for match in _PARAMETER.finditer(text)}


def shifted(value: object) -> set[str]:
    """Return the names of those parameters that have a number added, and so must be numbers."""
    return {match["name"] for text in _texts(value) for match in _PARAMETER.finditer(text) if match["shift"]}


def filled(value: object, address: Mapping[str, object]) -> object:
    """Return the value with every parameter filled in, through nested mappings and lists.

    Raises:
        KeyError: The address lacks a parameter; compare with :func:`parameters` first.
    """
    match value:
        case str():
            return _filled_text(value, address)
        case Mapping():
            return {key: filled(each, address) for key, each in value.items()}
        case list():
            return [filled(each, address) for each in value]
        case _:
            return value


def frozen(value: object) -> object:
    """Return a hashable form of nested mappings and lists, to compare two places on a wire."""
    match value:
        case Mapping():
            return frozenset((key, frozen(each)) for key, each in value.items())
        case list():
            return tuple(map(frozen, value))
        case _:
            return value


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _filled_text(text: str, address: Mapping[str, object]) -> object:
    whole = _PARAMETER.fullmatch(text)
    if whole:
        return _value(whole, address)
    return _PARAMETER.sub(lambda match: str(_value(match, address)), text)


def _value(match: re.Match[str], address: Mapping[str, object]) -> object:
    value = address[match["name"]]
    return int(str(value)) + int(match["shift"].replace(" ", "")) if match["shift"] else value
