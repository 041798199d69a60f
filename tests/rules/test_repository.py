"""The rules' live state in the database."""

from __future__ import annotations

import math
from dataclasses import replace

from sqlalchemy import Engine

from facility.storage.database import reading
from rules.repository import forget_removed_rules, load_states, save_states
from rules.state import Phase, SavedState

FULL = SavedState(
    owner="rule:12",
    row=1,
    fingerprint="0123456789abcdef",
    phase=Phase.ACTIVE,
    since_ns=1_800_000_000_123_456_789,
    began_ns=1_800_000_000_000_000_001,
    seen_ns=1_800_000_000_223_456_789,
    value=0.1 + 0.2,
    priority=2,
)
EMPTY = replace(FULL, row=0, phase=Phase.PENDING, began_ns=None, value=math.nan)


def test_a_state_comes_back_to_the_nanosecond_and_the_last_bit(database: Engine) -> None:
    with database.begin() as connection:
        save_states(connection, [])
        save_states(connection, [FULL, EMPTY])
    with reading(database) as connection:
        empty, full = sorted(load_states(connection), key=lambda state: state.row)
    assert full == FULL
    assert math.isnan(empty.value)
    assert replace(empty, value=0.0) == replace(EMPTY, value=0.0)


def test_a_row_has_one_state_the_newest(database: Engine) -> None:
    later = replace(FULL, phase=Phase.NORMAL, began_ns=None, value=4.0)
    for states in ([FULL, EMPTY], [later]):
        with database.begin() as connection:
            save_states(connection, states)
    with reading(database) as connection:
        assert later in load_states(connection)
        assert len(load_states(connection)) == 2


def test_the_state_of_a_removed_rule_is_forgotten_and_a_plans_meter_is_not(database: Engine) -> None:
    plan = replace(FULL, owner="plan:pump-1/grease", row=0)
    kept = replace(FULL, owner="rule:120")
    with database.begin() as connection:
        save_states(connection, [FULL, EMPTY, plan, kept])
        forget_removed_rules(connection, {120, 121})
        assert sorted(load_states(connection), key=lambda state: state.owner) == [plan, kept]
