"""Bit fields: several values that share the bits of one whole number.

``bit: 3`` is the one bit of value 8; ``bits: [4, 7]`` are four bits, the lower end first, both ends included. Bits
count from 0, the least significant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

BIT_KEYS: Final = frozenset({"bit", "bits"})
"""The keys of a point's mapping that choose bits of a whole number. They belong to its place on the wire: two points
may share a register or a payload's value, each with bits of its own."""

HIGHEST_BIT: Final = 63


class BitField(NamedTuple):
    """Neighbouring bits of a whole number."""

    low: int
    """The least significant bit that counts, from 0."""
    high: int
    """The most significant bit that counts, included."""

    @property
    def mask(self) -> int:
        """Return the largest number that the field can hold."""
        return (1 << self.high - self.low + 1) - 1

    def of(self, word: int) -> int:
        """Return the field's number; a negative word counts in two's complement."""
        return word >> self.low & self.mask

    def put(self, word: int, value: int) -> int:
        """Return the word with the field set to ``value`` and all other bits as they were.

        Raises:
            ValueError: The value does not fit the field.
        """
        if not 0 <= value <= self.mask:
            raise ValueError(f"{value} does not fit bits {self.low} to {self.high}; write 0 to {self.mask}")
        return word & ~(self.mask << self.low) | value << self.low

    @classmethod
    def of_mapping(cls, mapping: Mapping[str, Any]) -> Self | None:
        """Return the field that a point's mapping asks for; ``None`` where the whole number counts.

        Raises:
            ValueError: The mapping asks for bits that do not exist; says what to write.
        """
        if mapping.keys() >= BIT_KEYS:
            raise ValueError("'bit' and 'bits' exclude each other; remove one")
        ends = [mapping["bit"]] * 2 if "bit" in mapping else mapping.get("bits")
        if ends is None:
            return None
        if not _is_pair_of_whole_numbers(ends) or not 0 <= ends[0] <= ends[1] <= HIGHEST_BIT:
            raise ValueError(f"write 'bit: 3' or 'bits: [4, 7]' with bits from 0 to {HIGHEST_BIT}, the lower first")
        return cls(*ends)


def _is_pair_of_whole_numbers(ends: object) -> bool:
    return isinstance(ends, list) and [type(end) for end in ends] == [int, int]
