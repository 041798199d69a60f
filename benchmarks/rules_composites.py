"""What one evaluation of a composite condition costs, beside zen-engine on the same expression and the same values.

Both have read the expression beforehand and are given their values ready to use, a list of numbers here and a
dictionary there; both are called in a loop of Python. Ours also says whether a missing value leaves the answer open.
The values are drawn so that each of the three parts decides often. Figures are medians over turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import zen

from facility.expression import Operand, parse

EXPRESSION = "smoke > 0.2 and temp_rate > 8 and not maintenance"
_COUNT = 2_000
_TURNS = 25


def composite_figures() -> dict[str, float]:
    """Return nanoseconds for one evaluation."""
    dice = np.random.default_rng(1)
    smoke, rate, maintenance = dice.uniform(0, 0.4, _COUNT), dice.uniform(0, 16, _COUNT), dice.random(_COUNT) < 0.3
    rows = np.column_stack([smoke, rate, maintenance]).tolist()
    contexts = [
        {"smoke": row[0], "temp_rate": row[1], "maintenance": is_off}
        for row, is_off in zip(rows, maintenance.tolist(), strict=True)
    ]
    ours = parse(EXPRESSION, {"smoke": Operand(), "temp_rate": Operand(unit="K/min"), "maintenance": Operand()})
    theirs = zen.compile_expression(EXPRESSION)
    assert [ours.truth(row) for row in rows] == [theirs.evaluate(context) for context in contexts]
    turns = [(_spent(ours.truth, rows), _spent(theirs.evaluate, contexts)) for _ in range(_TURNS)]
    own_s, zen_s = (statistics.median(column) for column in zip(*turns, strict=True))
    return {
        "composite_ns": round(own_s / _COUNT * 1e9, 1),
        "composite_zen_ns": round(zen_s / _COUNT * 1e9, 1),
        "composite_times_zen": round(zen_s / own_s, 1),
    }


def _spent(ask: Callable[[Any], object], questions: Sequence[Any]) -> float:
    began = time.thread_time()
    for question in questions:
        ask(question)
    return time.thread_time() - began
