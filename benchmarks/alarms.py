"""How many rule transitions a second become durable alarm episodes, journal lines and announcements.

``uv run python -m benchmarks.alarms --json``: SQLite with synchronous=FULL on the disk of ``--folder``, batches of 100,
each batch one transaction. Half of the transitions raise, half clear.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import alarms.tables  # the table must be known before it is made
from alarms.service import apply_transitions
from facility.model import Facility
from facility.priority import Priority
from facility.storage.database import metadata, open_database
from rules.events import Reason, RuleTransition, TransitionKind
from tests.facilities import SEAL_LEAK, small_facility


def flood_facility(rules: int) -> Facility:
    """Return a facility with so many rules that end by themselves."""
    small = small_facility()
    pattern = small.rules[SEAL_LEAK]
    return replace(small, rules={rule_id: replace(pattern, id=rule_id) for rule_id in range(1, rules + 1)})


def flood(rules: int, batch: int, seconds: int) -> Iterator[list[RuleTransition]]:
    """Give batches for ever: every rule raises, then every rule clears, and so on."""
    kinds = (TransitionKind.RAISED, TransitionKind.CLEARED)
    for second in range(seconds):
        for first in range(1, rules + 1, batch):
            yield [_transition(rule_id, kinds[second % 2], second) for rule_id in range(first, first + batch)]


def measure(folder: Path, *, rules: int, batch: int, rounds: int) -> dict[str, float]:
    """Return transitions per second, and the median and 99th percentile of a transaction in milliseconds."""
    facility = flood_facility(rules)
    engine = open_database(f"sqlite:///{folder / 'alarms.db'}")
    metadata.create_all(engine, tables=[table for table in metadata.sorted_tables if table.name in NEEDED])
    durations = []
    for number, transitions in enumerate(flood(rules, batch, rounds)):
        began = time.perf_counter()
        with engine.begin() as connection:
            apply_transitions(connection, facility, transitions, now_ns=number)
        durations.append(time.perf_counter() - began)
    engine.dispose()
    ordered = sorted(durations)
    return {
        "transitions_per_s": round(batch * len(durations) / sum(durations)),
        "transaction_ms_p50": round(ordered[len(ordered) // 2] * 1e3, 3),
        "transaction_ms_p99": round(ordered[len(ordered) * 99 // 100] * 1e3, 3),
    }


NEEDED = {alarms.tables.alarm_episode.name, "journal", "outbox"}


def _transition(rule_id: int, kind: TransitionKind, second: int) -> RuleTransition:
    return RuleTransition(
        rule_id=rule_id,
        kind=kind,
        reason=Reason.STATE if kind is TransitionKind.RAISED else Reason.NORMAL,
        priority=Priority.HIGH,
        at_ns=second,
        since_ns=second,
        value=1.0,
        limit=1.0,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="where the database is made; a temporary folder by default")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        result = measure(Path(folder), rules=wanted.rules, batch=wanted.batch, rounds=wanted.rounds)
    print(json.dumps(result) if wanted.json else "\n".join(f"{name}: {value:,}" for name, value in result.items()))


if __name__ == "__main__":
    main()
