"""An expression over points of an asset and over its other rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facility.expression import Expression
from facility.model import Point
from facility.units import display_unit
from rules.signals.signal import Judgement, Source


@dataclass(frozen=True, slots=True)
class Term:
    """What a name in an expression stands for."""

    name: str
    source: Source
    point: Point | None = None
    """``None``: a rule, whose condition stands or not."""

    def told(self, value: float) -> str:
        """Return it with a value, as people read it."""
        if math.isnan(value):
            return f"{self.name} missing"
        if self.point is None:
            return f"{self.name} {'stands' if value else 'does not stand'}"
        definition = self.point.definition
        state = next((name for name, code in definition.states.items() if code == value), None)
        return f"{self.name} {state or f'{value:.5g} {display_unit(definition.unit)}'.rstrip()}"


class CompositeSignal:
    """1 while an expression is true, 0 while it is false."""

    def __init__(self, expression: Expression, terms: Mapping[str, Term]) -> None:
        self._expression = expression
        self._terms = tuple(terms[name] for name in expression.operands)
        self.inputs = tuple(term.source for term in self._terms)

    def judge(self, values: Sequence[float]) -> Judgement | None:
        """Return what the expression says; ``None`` while missing values leave it open."""
        truth = self._expression.truth(values)
        if truth is None:
            return None
        return Judgement(computed=(float(truth),), value=math.nan, details=tuple(values))

    def explain(self, judgement: Judgement) -> str:
        """Return every term with its value."""
        return ", ".join(term.told(value) for term, value in zip(self._terms, judgement.details, strict=True))
