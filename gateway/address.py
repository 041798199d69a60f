"""Address parameters: text in braces that each asset of a profile fills with its own value.

``{root}/motion`` takes the asset's ``root``; ``analog-input,{instance + 1000}`` adds a number to it. Text that is
nothing but one parameter (``"{unit}"``) takes the parameter's own type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_PARAMETER: Final = re.compile(r"\{\s*(?P<name>\w+)\s*(?P<shift>[+-]\s*\d+)?\s*\}")

_NUMBER: Final = re.compile(r"0|[1-9]\d{0,9}", re.ASCII)
"""A number that is written in one way only, so that filling it in gives the same text again."""


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


def solved(template: object, value: object) -> dict[str, object] | None:
    """Return the parameters with which a template becomes a value; ``None`` where none do.

    The inverse of :func:`filled` for one text: ``analog-input,{instance + 1000}`` becomes ``analog-input,1101`` with
    ``instance`` 101.
    """
    if not isinstance(template, str) or not _PARAMETER.search(template):
        return {} if template == value else None
    found = re.fullmatch(_pattern(template), str(value), re.DOTALL)
    if found is None:
        return None
    address: dict[str, object] = {}
    for match, text in zip(_PARAMETER.finditer(template), found.groups(), strict=True):
        number = int(text) - int((match["shift"] or "0").replace(" ", "")) if _NUMBER.fullmatch(text) else None
        solution: object = text if number is None else number
        if address.setdefault(match["name"], solution) != solution or (number is None and match["shift"]):
            return None
    return address


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


def _pattern(template: str) -> str:
    """Return a regular expression of all texts that a template can become, one group a parameter."""
    literals = _PARAMETER.split(template)[:: _PARAMETER.groups + 1]
    return "(.+)".join(re.escape(literal) for literal in literals)


def _value(match: re.Match[str], address: Mapping[str, object]) -> object:
    value = address[match["name"]]
    return int(str(value)) + int(match["shift"].replace(" ", "")) if match["shift"] else value
