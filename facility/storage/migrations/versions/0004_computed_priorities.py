"""Priorities are computed: rules get the consequence class that gives them the priority they had.

Revision 0004, after 0003; made 2026-11-27 12:00:00.

Of several classes that fit, a rule gets the least grave, for a class that nobody chose shall claim no more than the
priority did; a life-safety rule, which is priority 1 in any matrix, gets
the gravest. Where none fits:

- priority 4 within 5 minutes: ``minor``, and so priority 3; nothing becomes less urgent.
- priority 1 with more than an hour: ``severe``, and the time becomes an hour, the longest that leaves it priority 1.

The next import of the site's file puts the class's own words in their place. Alarms keep their history: an episode's
priority is a column of its own and is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The shipped matrix as it was then, from the least grave class up: up to 5, 15, 60 min, and longer.
ENDS_MIN = (5.0, 15.0, 60.0)
MATRIX = {"minor": (3, 4, 4, 4), "moderate": (2, 3, 3, 4), "major": (1, 2, 2, 3), "severe": (1, 1, 1, 2)}

rule = sa.table("rule", sa.column("id", sa.Integer), sa.column("definition", sa.JSON))


def upgrade() -> None:
    op.add_column("site", sa.Column("priority_matrix", sa.JSON(none_as_null=True), nullable=True))
    connection = op.get_bind()
    rows = connection.execute(sa.select(rule.c.id, rule.c.definition)).all()
    changed = [{"rule_id": row.id, "new": converted(row.definition)} for row in rows]
    if changed:
        statement = sa.update(rule).where(rule.c.id == sa.bindparam("rule_id")).values(definition=sa.bindparam("new"))
        connection.execute(statement, changed)


def converted(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's definition with classes for priorities."""
    definition = dict(definition)
    priority, time_min = definition.pop("priority"), definition["time_to_respond_min"]
    life_safety = definition.get("life_safety", False)
    grave, fitting_min = ("severe", time_min) if life_safety else class_and_time(priority, time_min)
    condition = dict(definition["condition"])
    if condition.get("limits"):
        condition["limits"] = {
            side: _limit(limit, None if life_safety else priority, fitting_min)
            for side, limit in condition["limits"].items()
        }
    whole = {"consequence_class": grave, "time_to_respond_min": fitting_min, "condition": condition}
    return {**definition, **whole}


def _limit(limit: Mapping[str, Any], rules_own: int | None, rules_time_min: float) -> dict[str, Any]:
    """Return a limit; what is as its rule says goes without saying. ``rules_own`` is ``None`` for life safety."""
    limit = dict(limit)
    priority = limit.pop("priority", None)
    own: dict[str, Any] = {"consequence_class": None, "time_to_respond_min": None}
    if priority is not None and rules_own is not None and priority != rules_own:
        own["consequence_class"], time_min = class_and_time(priority, rules_time_min)
        own["time_to_respond_min"] = None if time_min == rules_time_min else time_min
    return {**own, **limit}


def class_and_time(priority: int, time_min: float) -> tuple[str, float]:
    """Return the least grave class that makes a priority of a time, and the time, changed if none does."""
    column = sum(time_min > end for end in ENDS_MIN)
    exact = [grave for grave, row in MATRIX.items() if row[column] == priority]
    urgent = [grave for grave, row in MATRIX.items() if row[column] < priority]
    fits = [*exact, *urgent]
    return (fits[0], time_min) if fits else ("severe", ENDS_MIN[-1])
