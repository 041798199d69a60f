"""BACnet's tagged encoding (clause 20.2 of ASHRAE 135): pure functions between octets and values.

A value is ``None`` (Null), ``bool``, ``int`` (Unsigned, Signed), :class:`Enumerated`, ``float`` (Real, Double),
``str``, ``bytes`` (octet string), a tuple of ``bool`` (bit string), :class:`ObjectNumber`, :class:`DateOrTime`, or a
list of the values inside an opening and a closing tag.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple


class MalformedError(ValueError):
    """Octets that are no BACnet."""


class Enumerated(int):
    """A number that stands for a name."""


class ObjectNumber(int):
    """An object identifier as the wire carries it."""


class DateOrTime(bytes):
    """Four octets of a date or a time."""


Value = None | bool | int | float | str | bytes | tuple[bool, ...] | list["Value"]


class Kind(IntEnum):
    """The application tags."""

    NULL = 0
    BOOLEAN = 1
    UNSIGNED = 2
    SIGNED = 3
    REAL = 4
    DOUBLE = 5
    OCTETS = 6
    TEXT = 7
    BITS = 8
    ENUMERATED = 9
    DATE = 10
    TIME = 11
    OBJECT = 12


class Mark(IntEnum):
    """What a tag is."""

    APPLICATION = 0
    CONTEXT = 1
    OPENING = 2
    CLOSING = 3


class Tag(NamedTuple):
    """One tag with the octets that belong to it."""

    mark: Mark
    number: int
    data: bytes
    end: int
    """Where the next tag begins."""


_CONTEXT_BIT: Final = 0x08
_EXTENDED: Final = 15
_OPENING, _CLOSING = 6, 7
_LONG: Final = 5
_TWO_OCTETS, _FOUR_OCTETS = 254, 255
_MAX_DEPTH: Final = 8
"""Opening tags inside each other; the standard needs half of it, and nobody may fill our stack."""


def read_tag(data: bytes, at: int) -> Tag:
    """Return the tag at a place.

    Raises:
        MalformedError: It does not end within the data.
    """
    try:
        first = data[at]
        at += 1
        number, short = first >> 4, first & 0x07
        if number == _EXTENDED:
            number = data[at]
            at += 1
        if first & _CONTEXT_BIT and short in {_OPENING, _CLOSING}:
            return Tag(Mark.OPENING if short == _OPENING else Mark.CLOSING, number, b"", at)
        if not first & _CONTEXT_BIT and number == Kind.BOOLEAN:
            return Tag(Mark.APPLICATION, number, bytes([short]), at)
        length, at = (short, at) if short < _LONG else _long_length(data, at)
    except IndexError:
        raise MalformedError("a tag is cut off") from None
    if at + length > len(data):
        raise MalformedError("a value is cut off")
    mark = Mark.CONTEXT if first & _CONTEXT_BIT else Mark.APPLICATION
    return Tag(mark, number, data[at : at + length], at + length)


def _long_length(data: bytes, at: int) -> tuple[int, int]:
    length = data[at]
    if length < _TWO_OCTETS:
        return length, at + 1
    width = 2 if length == _TWO_OCTETS else 4
    octets = data[at + 1 : at + 1 + width]
    if len(octets) < width:
        raise MalformedError("a length is cut off")
    return int.from_bytes(octets, "big"), at + 1 + width


def application_value(tag: Tag) -> Value:
    """Return what an application tag holds.

    Raises:
        MalformedError: Its octets do not fit its type, or the type is reserved.
    """
    decode = _DECODERS.get(tag.number)
    if decode is None:
        raise MalformedError(f"application tag {tag.number} is reserved")
    return decode(tag.data)


def read_values(data: bytes, at: int, closing: int, depth: int = 0) -> tuple[list[Value], int]:
    """Return all values up to a closing tag, and where it ends.

    Context tags keep their octets, since only their place says what they are.

    Raises:
        MalformedError: The closing tag is missing, or something before it is no value.
    """
    if depth > _MAX_DEPTH:
        raise MalformedError("values inside values without end")
    values: list[Value] = []
    while True:
        tag = read_tag(data, at)
        at = tag.end
        if tag.mark is Mark.APPLICATION:
            values.append(application_value(tag))
        elif tag.mark is Mark.CONTEXT:
            values.append(tag.data)
        elif tag.mark is Mark.OPENING:
            inner, at = read_values(data, at, tag.number, depth + 1)
            values.append(inner)
        elif tag.number == closing:
            return values, at
        else:
            raise MalformedError(f"closing tag {tag.number} closes nothing")


@dataclass(slots=True)
class Reader:
    """Takes the parameters of a service one by one, as its definition orders them."""

    data: bytes
    at: int = 0

    @property
    def is_done(self) -> bool:
        """Return whether everything is read."""
        return self.at >= len(self.data)

    def take(self) -> Tag:
        """Take the next tag, whatever it is."""
        tag = read_tag(self.data, self.at)
        self.at = tag.end
        return tag

    def context(self, number: int) -> bytes:
        """Take a context tag that must come here, and return its octets."""
        tag = self.take()
        if tag.mark is not Mark.CONTEXT or tag.number != number:
            raise MalformedError(f"context tag {number} is missing")
        return tag.data

    def optional(self, number: int) -> bytes | None:
        """Take a context tag if it comes here."""
        return self.context(number) if self.comes(Mark.CONTEXT, number) else None

    def comes(self, mark: Mark, number: int) -> bool:
        """Return whether such a tag is next; ``number`` is below 15, as in every service that we take."""
        if self.at >= len(self.data):
            return False
        first = self.data[self.at]
        if mark is Mark.CONTEXT:
            return first & 0xF8 == number << 4 | _CONTEXT_BIT and first & 0x07 not in {_OPENING, _CLOSING}
        return first == number << 4 | _CONTEXT_BIT | (_OPENING if mark is Mark.OPENING else _CLOSING)

    def expect(self, mark: Mark, number: int) -> None:
        """Take an opening or closing tag that must come here."""
        tag = self.take()
        if tag.mark is not mark or tag.number != number:
            raise MalformedError(f"{mark.name.lower()} tag {number} is missing")

    def inside(self, number: int) -> list[Value]:
        """Take everything between an opening and its closing tag."""
        self.expect(Mark.OPENING, number)
        values, self.at = read_values(self.data, self.at, number)
        return values

    def raw_inside(self, number: int) -> bytes:
        """Take the octets between an opening and its closing tag as they are."""
        self.expect(Mark.OPENING, number)
        start = self.at
        _, self.at = read_values(self.data, self.at, number)
        return self.data[start : self.at - 1]

    def application(self) -> Value:
        """Take an application tag that must come here."""
        tag = self.take()
        if tag.mark is not Mark.APPLICATION:
            raise MalformedError("an application tag is missing")
        return application_value(tag)


def unsigned_of(data: bytes) -> int:
    """Return an unsigned number of any width."""
    return int.from_bytes(data, "big")


def text_of(data: bytes) -> str:
    """Return a character string in any of the standard's sets; what cannot be read becomes a question mark."""
    if not data:
        raise MalformedError("a text without its character set")
    return data[1:].decode(_CHARACTER_SETS.get(data[0], "latin-1"), errors="replace")


_CHARACTER_SETS: Final = {0: "utf-8", 3: "utf-32-be", 4: "utf-16-be", 5: "latin-1"}


def _bits_of(data: bytes) -> tuple[bool, ...]:
    if not data or data[0] > 7 or (len(data) == 1 and data[0]):  # noqa: PLR2004  # bits of an octet
        raise MalformedError("a bit string without its bits")
    count = 8 * (len(data) - 1) - data[0]
    return tuple(bool(data[1 + place // 8] >> (7 - place % 8) & 1) for place in range(count))


def _unpacked(layout: str, width: int) -> Callable[[bytes], float]:
    form = struct.Struct(layout)

    def unpack(data: bytes) -> float:
        if len(data) != width:
            raise MalformedError(f"a number of {len(data)} octets instead of {width}")
        return float(form.unpack(data)[0])

    return unpack


def _of_width(width: int, made: Callable[[bytes], Value]) -> Callable[[bytes], Value]:
    def decode(data: bytes) -> Value:
        if len(data) != width:
            raise MalformedError(f"{len(data)} octets instead of {width}")
        return made(data)

    return decode


_DECODERS: Final[Mapping[int, Callable[[bytes], Value]]] = {
    Kind.NULL: lambda _: None,
    Kind.BOOLEAN: lambda data: bool(data[0]),
    Kind.UNSIGNED: unsigned_of,
    Kind.SIGNED: lambda data: int.from_bytes(data, "big", signed=True),
    Kind.REAL: _unpacked(">f", 4),
    Kind.DOUBLE: _unpacked(">d", 8),
    Kind.OCTETS: bytes,
    Kind.TEXT: text_of,
    Kind.BITS: _bits_of,
    Kind.ENUMERATED: lambda data: Enumerated(unsigned_of(data)),
    Kind.DATE: _of_width(4, DateOrTime),
    Kind.TIME: _of_width(4, DateOrTime),
    Kind.OBJECT: _of_width(4, lambda data: ObjectNumber(unsigned_of(data))),
}


def _tagged(number: int, data: bytes, mark: int) -> bytes:
    """Return a tag with its octets; numbers stay below 15 in every service that we send."""
    if len(data) < _LONG:
        return bytes([number << 4 | mark | len(data)]) + data
    if len(data) < _TWO_OCTETS:
        return bytes([number << 4 | mark | _LONG, len(data)]) + data
    return bytes([number << 4 | mark | _LONG, _TWO_OCTETS]) + len(data).to_bytes(2, "big") + data


def application(kind: Kind, data: bytes) -> bytes:
    """Return octets as a value of a type."""
    return _tagged(kind, data, 0)


def context(number: int, data: bytes) -> bytes:
    """Return octets as the parameter with a number."""
    return _tagged(number, data, _CONTEXT_BIT)


def opening(number: int) -> bytes:
    """Return an opening tag."""
    return bytes([number << 4 | _CONTEXT_BIT | _OPENING])


def closing(number: int) -> bytes:
    """Return a closing tag."""
    return bytes([number << 4 | _CONTEXT_BIT | _CLOSING])


def unsigned(number: int) -> bytes:
    """Return an unsigned number in as few octets as it needs."""
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def signed(number: int) -> bytes:
    """Return a signed number in as few octets as it needs."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def object_octets(number: int) -> bytes:
    """Return an object identifier's four octets."""
    return number.to_bytes(4, "big")


def text(words: str) -> bytes:
    """Return a character string's octets, in UTF-8."""
    return b"\x00" + words.encode()
