"""What signals remember is made anew of what the history kept, whenever an engine begins."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from facility.clock import NS_PER_S
from facility.quality import BAD_FROM
from facility.samples import SampleBatch
from rules import kernel
from rules.columns import table_of
from rules.compile import Program
from rules.fold import Fold
from rules.signals.network import Network
from rules.signals.signal import Judgement

_USUAL_SILENCE_NS: Final = 600 * NS_PER_S
"""Points that spoke last no longer ago than this are asked for together."""


class Past(Protocol):
    """Tells what points had said."""

    def __call__(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        """Return the samples of some points with source time in ``[start_ns, end_ns)``, in the order of arrival.

        Before them stand the newest earlier sample of each point and, if that one is bad, its newest usable one: values
        hold until the next.
        """
        ...


def nothing_before(points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:  # noqa: ARG001  # see Past
    """Return no samples: nothing was kept."""
    return SampleBatch.of([])


def begin(program: Program, fold: Fold, *, past: Past, now_ns: int, before: Program | None) -> None:
    """Let a program's signals begin where their points' past and the rules' saved state leave off.

    Nothing is given to the kernel: it has what it was given before in its saved state. After an edit, signals of rules
    that are as they were go on with what they remember, and those of all others are judged anew at once.
    """
    network = program.network
    running = None if before is None else before.network
    if network is None or network is running:
        return
    kept = {} if before is None or running is None else _handed_over(program, network, before, running)
    concerned = _replay(network, past, now_ns, kept)
    for owner in program.followed:
        network.tell(owner, stands=fold.stands(owner))
    turned_ns = _last_turn_ns(program) if program.followed else None
    if turned_ns is not None:
        network.clock_ns = max(network.clock_ns, min(turned_ns, now_ns))
        concerned |= {junction.owner for junction in network.junctions if junction.level > 0}
    if running is None:
        network.settle(concerned - _overdue(program))
    else:
        network.settle({junction.owner for junction in network.junctions} - kept.keys() | running.unsettled())
        network.go_on(kept)
    _show(program, network)


def _handed_over(program: Program, network: Network, before: Program, running: Network) -> dict[str, Judgement | None]:
    """Let signals of unchanged rules be those that ran; return their owners with what their junctions said last."""
    texts = before.fingerprints
    unchanged = {owner for owner, text in program.fingerprints.items() if texts.get(owner) == text}
    unchanged -= running.isolated.keys()
    network.take_over(running, unchanged)
    return {owner: running.said(owner) for owner in unchanged}


def _last_turn_ns(program: Program) -> int | None:
    """Return when a rule that others read changed last, which these may not have lived to hear; ``None``: never."""
    live = program.columns.rows.live.tolist()
    turns = []
    for row, state in zip(program.rows, live, strict=True):
        # A quiet row of silence says since when somebody listens, and not when anything turned.
        is_told = row.shape.kind != kernel.NO_DATA or state[kernel.PHASE] != kernel.NORMAL
        if row.owner.key in program.followed and is_told and state[kernel.SINCE]:
            turns.append(state[kernel.SINCE])
    return max(turns, default=None)


def _overdue(program: Program) -> set[str]:
    """Return the owners of rows whose delays ended while nobody watched: only what is new may decide those."""
    phases = program.columns.rows.live[:, kernel.PHASE]
    places = np.flatnonzero(np.isin(phases, (kernel.OVERDUE, kernel.OVERDUE_LEAVING)))
    return {program.rows[place].owner.key for place in places.tolist()}


def _replay(network: Network, past: Past, now_ns: int, kept: Collection[str]) -> set[str]:
    """Hear again what the points had said, each as far back as anything remembers that hangs on it.

    Args:
        network: Whose signals are to remember.
        past: Tells what points had said.
        now_ns: The gateway's time.
        kept: Owners whose signals remember already.

    Returns:
        Owners of the rules that the last instant concerned, which the process may not have lived to judge.
    """
    rows = [
        row
        for look_back_ns, keys in _by_look_back(network.look_backs(kept)).items()
        for batch in _heard(past, keys, look_back_ns, now_ns)
        for row in _rows(batch)
    ]
    rows.sort(key=lambda row: row[2])
    last_ns = max(rows[-1][2] if rows else kernel.UNSEEN, network.clock_ns)
    if last_ns == kernel.UNSEEN:
        network.begin_when_heard(now_ns)
        return set()
    fresh = [number for number, each in enumerate(network.clockworks) if each.owner not in kept]
    waiting = sorted(
        ((last_ns - network.clockworks[number].timed.look_back_ns, number) for number in fresh), reverse=True
    )
    with network.remembering(kept):
        for key, source_ns, gateway_ns, value, quality in rows:
            while waiting and waiting[-1][0] <= gateway_ns:
                network.begin(waiting.pop()[1], gateway_ns)
            if gateway_ns > network.clock_ns:
                network.forget_changes()
                network.clock_ns = gateway_ns
            network.reach(gateway_ns)
            network.hear(key, source_ns, gateway_ns, value, quality)
    concerned = network.unsettled()
    begun = set(fresh) - {number for _, number in waiting}
    for number in set(range(len(network.clockworks))) - begun:
        network.begin(number, last_ns)
    return concerned


def _by_look_back(look_backs: Mapping[int, int]) -> dict[int, list[int]]:
    """Return the points by how far back they have to be heard, in steps of two: one question for each step."""
    found: dict[int, list[int]] = {}
    for key, look_back_ns in look_backs.items():
        found.setdefault(1 << look_back_ns.bit_length() if look_back_ns else 0, []).append(key)
    return found


def _heard(past: Past, keys: Sequence[int], look_back_ns: int, now_ns: int) -> Iterator[SampleBatch]:
    """Return what points had said, each as far back from its own newest sample: what it says still is of that time."""
    start_ns = now_ns - look_back_ns - min(look_back_ns, _USUAL_SILENCE_NS)
    batch = past(keys, start_ns, kernel.NEVER)
    newest: dict[int, int] = {}
    for key, source_ns, _, _, quality in _rows(batch):
        if quality < BAD_FROM:
            newest[key] = max(source_ns, newest.get(key, source_ns))
    silent = [key for key, source_ns in newest.items() if look_back_ns and source_ns - look_back_ns < start_ns]
    yield batch.where(~np.isin(batch.point, silent))
    for key in silent:
        yield past([key], newest[key] - look_back_ns, kernel.NEVER)


def _rows(batch: SampleBatch) -> Iterator[tuple[int, int, int, float, int]]:
    columns = (batch.point, batch.source_time_ns, batch.gateway_time_ns, batch.value, batch.quality)
    return zip(*(column.tolist() for column in columns), strict=True)


def _show(program: Program, network: Network) -> None:
    """Let virtual points hold what was computed last, which is the evidence when a delay of theirs ends."""
    held = table_of(program.columns.points.real)[:, kernel.HELD]
    for cell in network.cells:
        if cell.point is not None and not math.isnan(cell.last):
            held[cell.point] = cell.last
