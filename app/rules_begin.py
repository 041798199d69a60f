"""How rules begin, at a start and after every change: from saved state, their points' past and what was learned."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Final

import numpy as np
import structlog
from sqlalchemy import Connection

from facility.clock import NS_PER_S
from facility.errors import HistoryUnavailableError
from facility.history.history import History
from facility.model import Facility
from facility.quality import BAD_FROM
from facility.samples import SampleBatch
from rules.engine import RuleEngine
from rules.learning import load_baselines
from rules.repository import load_states

log = structlog.get_logger(__name__)

_NEAR_NS: Final = 600 * NS_PER_S
"""Most points spoke last no longer ago than this, and their earlier sample is found in one question."""
_FAR_NS: Final = 86_400 * NS_PER_S
"""How far back the others' earlier sample is looked for."""

_MANY: Final = 20
"""So many silent points are asked for at once, fewer one by one."""


def begin_rules(
    connection: Connection, facility: Facility, history: History, *, now_ns: int, before: RuleEngine | None = None
) -> RuleEngine:
    """Return an engine that goes on where the rules left off.

    Args:
        connection: Where their state is.
        facility: Whose rules.
        history: What signals remember is made of it.
        now_ns: The gateway's time.
        before: The engine that ran until now, whose unchanged signals go on with what they remember; ``None``: a start.

    Raises:
        ConfigurationError: A rule or plan names a point or state that the facility does not have.
    """
    # Where only rules were edited, what ran knows all: none begins that has a state of its own.
    is_edit = before is not None and facility.differs_in_rules_alone(before.program.facility)
    return RuleEngine(
        facility,
        saved=() if is_edit else load_states(connection),
        now_ns=now_ns,
        past=partial(past_in, history),
        baselines=load_baselines(connection, facility),
        before=before,
    )


def past_in(history: History, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
    """Return what points had said, or nothing without an answer from the history: then windows fill anew."""
    try:
        return said_until(history, points, start_ns, end_ns)
    except HistoryUnavailableError as error:
        log.warning("history away; windows and charts of rules begin empty", error=str(error))
        return SampleBatch.of([])


def said_until(history: History, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
    """Return what points said in ``[start_ns, end_ns)`` and, of each, the newest samples of the day before it.

    These are its newest one and, if that is bad, its newest usable one (:class:`rules.signals.past.Past`).

    Raises:
        HistoryUnavailableError: The database did not answer.
    """
    near = history.samples(points, start_ns - _NEAR_NS, end_ns)
    inside = near.source_time_ns >= start_ns
    before = _newest(near.where(~inside))
    lost = before.point[before.quality >= BAD_FROM]
    usable = _newest(near.where(~inside & (near.quality < BAD_FROM) & np.isin(near.point, lost)))
    missing = set(points) - set(before.point.tolist())
    silent = missing - set(near.point[inside].tolist())
    older = []
    if len(silent) > _MANY:
        latest = history.latest(start_ns - _FAR_NS)
        latest = latest.where(np.isin(latest.point, sorted(silent)))
        older.append(latest.where(latest.source_time_ns < start_ns))
        missing -= silent - set(latest.point[latest.source_time_ns >= start_ns].tolist())
    older += [history.read(point, start_ns - _FAR_NS, start_ns - _NEAR_NS, 1) for point in sorted(missing)]
    return SampleBatch.concatenate([*older, usable, before, near.where(inside)])


def _newest(batch: SampleBatch) -> SampleBatch:
    """Return the newest sample of each point."""
    order = np.lexsort((batch.gateway_time_ns, batch.source_time_ns, batch.point))
    is_last = np.zeros(len(batch), bool)
    is_last[order[np.flatnonzero(np.diff(batch.point[order], append=-1))]] = True
    return batch.where(is_last)
