"""Conditions over several points, as people write them: ``smoke > 0.2 and warming > '8 K/min' and not isolated``.

The text is Python's own grammar for ``and``, ``or``, ``not``, comparisons and ``+ - * /``, and nothing else of Python:
every node of the tree is named in a table here, so what is not there (attributes, calls, powers, comprehensions) does
not exist.

*Units* are checked. A bare number stands in the unit of what it is compared with or added to; a number in quotes brings
its own (``'3 bar'``), and two points are brought to one unit or refused.

*Missing values* are explicit, after Kleene: a comparison with a missing value is neither true nor false; ``and``,
``or`` and ``not`` pass that on unless the rest decides; ``missing(point)`` asks. So every condition is translated
twice, to what makes it true and to what makes it false, and compiled to one function of the points' values that asks
both.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from facility.errors import UnitError, WatchkeeperError
from facility.units import conversion, has_own_zero, ratio_unit
from facility.yaml_file import did_you_mean

LONGEST: Final = 1_000
"""Characters; no condition that people can check is longer."""
DEEPEST: Final = 40
"""Parentheses and operators within each other."""

_QUANTITY: Final = re.compile(r"\s*(?P<number>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)\s*(?P<unit>[^\d\s].*)")
_MISSING: Final = "missing"
_COMPARISONS: Final[Mapping[type[ast.cmpop], tuple[str, str]]] = {
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}
"""Comparison to how Python writes it and its opposite."""

Values: TypeAlias = Sequence[float]
Truth: TypeAlias = Callable[[Values], bool | None]


class ExpressionError(WatchkeeperError):
    """A condition cannot be read; the message says where and what to write instead."""

    status = 422
    title = "The condition has a mistake"

    def __init__(self, text: str, column: int, message: str) -> None:
        self.column = column
        """Counted from 1; 0 when the whole is meant."""
        place = f"at column {column}: " if column else ""
        super().__init__(f"{place}{message} (in: {text[:LONGEST]})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A point, or the truth of another condition, that a condition may name."""

    unit: str = ""
    """In pint's spelling; empty for a number without one."""
    states: Mapping[str, int] = field(default_factory=dict)
    """Names of a state point's codes; empty for a quantity."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition, ready to be asked."""

    text: str
    operands: tuple[str, ...]
    """Names in the order in which their values are given."""
    truth: Truth
    """What the values say, NaN for a missing one; ``None``: a missing value leaves it open."""


def parse(text: str, operands: Mapping[str, Operand]) -> Expression:
    """Read a condition over the operands it may name.

    Raises:
        ExpressionError: It is no such condition; nothing of it was evaluated.
    """
    if len(text) > LONGEST:
        raise ExpressionError(text, 0, f"the condition has {len(text)} characters; divide it, {LONGEST} are the most")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 0
        raise ExpressionError(text, column, "this cannot be read; write it like 'flow < 3 and running == 1'") from error
    translator = _Translator(text, operands)
    truth = translator.truth(tree.body, DEEPEST)
    return Expression(text, tuple(translator.slots), _compiled(truth))


@cache
def names_in(text: str) -> frozenset[str]:
    """Return the names in a condition: of points, and of rules; none if it cannot be read."""
    try:
        tree = ast.parse(text[:LONGEST].strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)) - {_MISSING}


class _Truth(NamedTuple):
    """A condition as two Python expressions over ``v``."""

    true: str
    false: str


class _Number(NamedTuple):
    code: str
    unit: str | None
    """``None``: a bare number, which takes the other side's."""


class _State(NamedTuple):
    code: str
    states: Mapping[str, int]


class _Word(NamedTuple):
    text: str


_Value: TypeAlias = _Number | _State | _Word


class _Translator:
    def __init__(self, text: str, operands: Mapping[str, Operand]) -> None:
        self.slots: dict[str, int] = {}
        """Operands by the order in which they were named."""
        self._text = text
        self._operands = operands

    def truth(self, node: ast.expr, depth: int) -> _Truth:
        """Translate something that is true or false."""
        self._go_deeper(node, depth)
        match node:
            case ast.BoolOp(op=ast.And(), values=parts):
                return self._joined(parts, depth, "and", "or")
            case ast.BoolOp(op=ast.Or(), values=parts):
                return self._joined(parts, depth, "or", "and")
            case ast.UnaryOp(op=ast.Not(), operand=part):
                inner = self.truth(part, depth - 1)
                return _Truth(inner.false, inner.true)
            case ast.Compare():
                return self._compared(node, depth)
            case ast.Call(func=ast.Name(id="missing"), args=[ast.Name() as name], keywords=[]):
                code = self._named(name)[0]
                return _Truth(f"{code} != {code}", f"{code} == {code}")
            case ast.Name():
                return self._switched(node)
        raise self._mistake(node, "this is neither true nor false; compare it with something, as in 'flow < 3'")

    def _joined(self, parts: Sequence[ast.expr], depth: int, true: str, false: str) -> _Truth:
        truths = [self.truth(part, depth - 1) for part in parts]
        return _Truth(
            "(" + f" {true} ".join(each.true for each in truths) + ")",
            "(" + f" {false} ".join(each.false for each in truths) + ")",
        )

    def _switched(self, node: ast.Name) -> _Truth:
        """Translate a name by itself: true where its value is not 0."""
        code, operand = self._named(node)
        if operand.unit:
            raise self._mistake(node, f"{node.id} is a quantity in {operand.unit}; compare it, as in '{node.id} > 3'")
        return _Truth(f"({code} < 0 or {code} > 0)", f"{code} == 0")

    def _compared(self, node: ast.Compare, depth: int) -> _Truth:
        if any(type(comparison) not in _COMPARISONS for comparison in node.ops):
            raise self._mistake(node, "only < <= > >= == != compare; write 'a == 1 or a == 2' instead of 'in'")
        sides = [self._value(side, depth - 1) for side in (node.left, *node.comparators)]
        pairs = [
            self._pair(node, left, comparison, right)
            for left, comparison, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return _Truth(
            "(" + " and ".join(pair.true for pair in pairs) + ")",
            "(" + " or ".join(pair.false for pair in pairs) + ")",
        )

    def _pair(self, node: ast.Compare, left: _Value, comparison: ast.cmpop, right: _Value) -> _Truth:
        sign, opposite = _COMPARISONS[type(comparison)]
        first, second = self._alike(node, left, right)
        if sign == "!=":  # a missing value differs from everything in Python's eyes
            return _Truth(f"({first} < {second} or {first} > {second})", f"{first} == {second}")
        if sign == "==":
            return _Truth(f"{first} == {second}", f"({first} < {second} or {first} > {second})")
        return _Truth(f"{first} {sign} {second}", f"{first} {opposite} {second}")

    def _alike(self, node: ast.expr, left: _Value, right: _Value) -> tuple[str, str]:
        """Return both sides so that they can be compared: in one unit, or as codes of one set of states."""
        match left, right:
            case _State(), _Word():
                return left.code, self._code(node, left.states, right.text)
            case _Word(), _State():
                return self._code(node, right.states, left.text), right.code
            case _State(), _State() if left.states == right.states:
                return left.code, right.code
            case _State(), _Number(unit=None):
                return left.code, right.code
            case _Number(unit=None), _State():
                return left.code, right.code
            case ((_Number() | _Word()), (_Number() | _Word())):
                first, second = self._quantity(node, left), self._quantity(node, right)
                return first.code, self._brought(node, second, first.unit)
        raise self._mistake(node, "a state can only be compared with one of its own states")

    def _value(self, node: ast.expr, depth: int) -> _Value:
        """Translate something that has a value."""
        self._go_deeper(node, depth)
        match node:
            case ast.Constant(value=int() | float() as number):  # True is 1
                return self._constant(node, number)
            case ast.Constant(value=str() as word):
                return _Word(word)
            case ast.Name():
                code, operand = self._named(node)
                return _State(code, operand.states) if operand.states else _Number(code, operand.unit)
            case ast.UnaryOp(op=ast.USub(), operand=part):
                inner = self._quantity(part, self._value(part, depth - 1))
                return _Number(f"(-{inner.code})", inner.unit)
            case ast.BinOp():
                return self._calculated(node, depth)
        raise self._mistake(node, "only points, numbers, + - * / and comparisons may stand here")

    def _constant(self, node: ast.expr, number: float) -> _Number:
        try:
            value = float(number)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self._mistake(node, "this is no number that a point can have")
        return _Number(repr(value), None)

    def _calculated(self, node: ast.BinOp, depth: int) -> _Number:
        left = self._quantity(node.left, self._value(node.left, depth - 1))
        right = self._quantity(node.right, self._value(node.right, depth - 1))
        match node.op:
            case ast.Add():
                return self._sum(node, left, right, "+")
            case ast.Sub():
                return self._sum(node, left, right, "-")
            case ast.Mult():
                return _Number(f"({left.code} * {right.code})", self._product_unit(node, left, right, "*"))
            case ast.Div():
                return _Number(f"ratio({left.code}, {right.code})", self._product_unit(node, left, right, "/"))
        raise self._mistake(node, "only + - * / calculate here")

    def _sum(self, node: ast.expr, left: _Number, right: _Number, sign: str) -> _Number:
        unit = right.unit if left.unit is None else left.unit
        if unit is not None and has_own_zero(unit):
            return self._beside_zero(node, left, right, sign, unit)
        return _Number(f"({left.code} {sign} {self._brought(node, right, left.unit)})", unit)

    def _beside_zero(self, node: ast.expr, left: _Number, right: _Number, sign: str, unit: str) -> _Number:
        """Add to a temperature with a zero of its own, or take one from another, which leaves a difference."""
        if right.unit is None or left.unit is None:
            return _Number(f"({left.code} {sign} {right.code})", unit)
        if sign == "-" and has_own_zero(left.unit) and has_own_zero(right.unit):
            return _Number(f"({left.code} - {self._brought(node, right, left.unit)})", f"delta_{left.unit}")
        if has_own_zero(left.unit) and not has_own_zero(right.unit):
            return _Number(f"({left.code} {sign} {self._brought(node, right, f'delta_{left.unit}')})", unit)
        raise self._mistake(node, "two temperatures cannot be added; take one from the other, or add a number")

    def _product_unit(self, node: ast.expr, left: _Number, right: _Number, sign: str) -> str | None:
        if left.unit is None and right.unit is None:
            return None
        if right.unit is None:
            return left.unit
        try:
            return ratio_unit(left.unit or "", right.unit) if sign == "/" else self._times(left.unit or "", right.unit)
        except UnitError as error:
            raise self._mistake(node, str(error)) from error

    @staticmethod
    def _times(left: str, right: str) -> str:
        return ratio_unit(left, ratio_unit("", right))

    def _quantity(self, node: ast.expr, value: _Value) -> _Number:
        match value:
            case _Number():
                return value
            case _State():
                raise self._mistake(node, "a state is no quantity; compare it with one of its states")
            case _Word(text=text):
                match = _QUANTITY.fullmatch(text)
                if match is None:
                    raise self._mistake(node, f"{text!r} is no quantity; write a number and its unit, as in '3 bar'")
                return _Number(repr(float(match["number"])), match["unit"].strip())

    def _brought(self, node: ast.expr, number: _Number, unit: str | None) -> str:
        """Return a number in a unit."""
        if unit is None or number.unit is None or number.unit == unit:
            return number.code
        try:
            scale, offset = conversion(number.unit, unit)
        except UnitError as error:
            raise self._mistake(node, str(error)) from error
        return f"({number.code} * {scale!r} + {offset!r})"

    def _code(self, node: ast.expr, states: Mapping[str, int], name: str) -> str:
        if name not in states:
            known = ", ".join(states)
            raise self._mistake(node, f"there is no state {name!r}{did_you_mean(name, states)}; the states are {known}")
        return repr(float(states[name]))

    def _named(self, node: ast.Name) -> tuple[str, Operand]:
        operand = self._operands.get(node.id)
        if operand is None:
            raise self._mistake(node, f"there is no point {node.id!r} here{did_you_mean(node.id, self._operands)}")
        return f"v[{self.slots.setdefault(node.id, len(self.slots))}]", operand

    def _go_deeper(self, node: ast.expr, depth: int) -> None:
        if depth <= 0:
            raise self._mistake(node, f"more than {DEEPEST} parts within each other; divide the condition")

    def _mistake(self, node: ast.expr, message: str) -> ExpressionError:
        return ExpressionError(self._text, node.col_offset + 1, message)


def _compiled(truth: _Truth) -> Truth:
    # The code consists of nothing but what the translator wrote: slots, numbers, comparisons, and/or and arithmetic.
    code = f"lambda v: True if {truth.true} else False if {truth.false} else None"
    compiled: Truth = eval(code, {"__builtins__": {}, "ratio": _ratio})  # noqa: S307  # see above
    return compiled


def _ratio(over: float, under: float) -> float:
    """Return a quotient; one by nothing is missing."""
    return over / under if under else math.nan
