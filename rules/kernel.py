"""The rules kernel: one scalar source over columns, run compiled where numba is present and as plain Python elsewhere.

Every rule is compiled to *rows*. A row of kind ``VALUE`` is true inside one of its ranges: it becomes true inside the
closed range ``enter`` and stays true inside the open range ``stay`` (the deadband lies between them). Delays stand
between a row being true and being *active*:

::

            true, on-delay               on-delay over
    NORMAL ───────────────> PENDING ───────────────────> ACTIVE
      ^  ^ <───────────────    ^                          │  ^
      │       false            │ true, too early          │  │ true again
      │                     OVERDUE                 false │  │
      │  off-delay over                                   v  │
      └──────────────────────────────────────────────── LEAVING

``OVERDUE`` and ``OVERDUE_LEAVING`` are delays that ended while nobody watched (a restart): the point's next sample
decides them. ``CHANGED`` is an active row whose rule was edited meanwhile: the next sample decides it afresh.

Time. A sample's value holds until the point's next sample, so a delay that ended before a sample is finished before
that sample is looked at, whether or not a sweep came between; how often somebody sweeps changes no transition. Delays
run on the source's time. A sweep knows only the gateway's time and moves a point forward by what passed since its
newest sample arrived, so a slow wire, a late buffer or a lagging device clock never shortens a delay; a sample moves
its point forward by as much before it is looked at, for a sweep may have come just then. Silence (``NO_DATA``) is about
arriving and runs on the gateway's time. A sample older than its point's newest is ignored: it says nothing about now,
moves no delay and is no sign of life.

Quality. Bad and non-finite samples change no value and do not count as data; uncertain ones decide. What bad ones do
change are rows of kind ``QUALITY``: such a row is a ``VALUE`` row over the quality's code instead of the value, and
runs on the gateway's time, since a device that is lost says no time. A sample that arrived before the one that decided
a point's quality says nothing about it any more. A ``VOID`` sample is no device's: what computed it says that there is
nothing to judge now, so every ``VALUE`` row of its point is false, and whatever comes next is looked at.

Guard band. For each point ``LO < value < HI``, ``NEWEST <= time < DUE``, less than ``DUE - NEWEST`` between the
arrivals and ``QUIET_FROM <= quality < QUIET_TO`` is the region where none of its rows can change, so a quiet sample
costs the same however many rules the point has: it is compared with one record of eight words, a line of the cache, and
noted there.

All times are nanoseconds. Columns are NumPy arrays for the compiled kernel; the plain one takes memoryviews of
the same arrays, and lists.
"""

from __future__ import annotations

import math

from facility.quality import BAD_FROM
from rules.layout import Batch, Columns, Kernel, Moment, Output, Points, Record, Rows

NEVER = 2**62
"""A time that does not come; half the range of int64, so that adding a delay cannot overflow."""
UNSEEN = -(2**62)
"""``NEWEST`` of a point without any sample."""
UNWATCHED = -1
"""``grade`` of a point whose quality no row watches."""
VOID = 63
"""A sample's quality, among the good ones: there is nothing to judge now; its value is NaN."""
BLOCK = 8
"""Points share one entry of ``Points.block_wake`` by groups of ``2**BLOCK``."""

_LARGEST = 2.0**52
"""Multiples beyond this are not told apart."""

# Kinds of rows.
VALUE = 0
NO_DATA = 1
"""``ON_DELAY`` is the timeout."""
METER = 2
"""``ENTER_LO`` is the interval, ``SINCE`` the newest multiple that was passed."""
QUALITY = 3
"""Ranges are of quality codes, ``SINCE`` is the gateway's time."""

# Phases of rows.
NORMAL = 0
PENDING = 1
ACTIVE = 2
LEAVING = 3
OVERDUE = 4
OVERDUE_LEAVING = 5
CHANGED = 6
ARMED = 7
"""A meter row that has seen its first value."""

# Codes of records.
RAISED = 0
CLEARED = 1
CONFIRMED = 2
"""An active row of an edited rule is true under the new rule as well."""
PASSED = 3
"""A meter passed another multiple of its interval."""

# Words of a point's record. In ``Points.real``:
LO = 0
HI = 1
HELD = 2
"""The newest usable sample's value."""
# In ``Points.whole``:
NEWEST = 3
"""Source time of the newest usable sample; ``NEVER`` for a point without rows, of which every sample is too old."""
ARRIVED = 4
"""Gateway time of the same sample."""
DUE = 5
"""Source time from which on a sample has to be looked at whatever its value: the sample's own, or what passed since the
newest one arrived; ``UNSEEN``: the very next one."""
QUIET_FROM = 6
QUIET_TO = 7
"""Code of quality after the last one that is quiet; equal to ``QUIET_FROM`` where none is."""
WIDTH = 8

# Columns of ``Rows.setup``.
KIND = 0
ON_DELAY = 1
OFF_DELAY = 2
FIRST_RANGE = 3

# Columns of ``Rows.live``.
SINCE = 0
"""When the phase began, by the source's clock; by the gateway's for ``NO_DATA`` and ``QUALITY``; a meter's newest
multiple."""
PHASE = 1
MARKED = 2
"""1 while the row stands in ``Output.changed``."""
SHAPE = 3
"""Its line in ``Rows.setup``."""

# Columns of ``Rows.edge``.
ENTER_LO = 0
ENTER_HI = 1
STAY_LO = 2
STAY_HI = 3

# Columns of ``Output.line``.
ROW = 0
CODE = 1
STEP = 2
AT = 3
BEGAN = 4


def scan(batch: Batch, columns: Columns, start: int) -> int:
    """Take samples from ``start`` on; return where it stopped: the batch's length, or earlier for want of room."""
    i = pass_quiet(batch, columns.points, start)
    while i < len(batch.point) and has_room(columns, batch.point[i]):
        look_at(batch, columns, i)
        i = pass_quiet(batch, columns.points, i + 1)
    return i


def pass_quiet(batch: Batch, points: Points, start: int) -> int:
    """Take samples from ``start`` on as long as they change no row; return the position of one that may."""
    key, source, gateway, value, quality = batch
    real, whole = points.real, points.whole
    keys = len(points.wake)
    i = start
    while 0 <= i < len(key):  # it is never below 0; told so, numba need not ask at every array what i counts from
        p = key[i]
        if 0 <= p < keys:
            at, t, g, v, q = WIDTH * p, source[i], gateway[i], value[i], quality[i]
            if (
                real[at + LO] < v < real[at + HI]
                and whole[at + NEWEST] <= t < whole[at + DUE]
                and g - whole[at + ARRIVED] < whole[at + DUE] - whole[at + NEWEST]
                and whole[at + QUIET_FROM] <= q < whole[at + QUIET_TO]
            ):
                whole[at + NEWEST] = t
                whole[at + ARRIVED] = g
                real[at + HELD] = v
            elif q >= BAD_FROM:
                if worsens(points, p, q, g):
                    return i
            elif t >= whole[at + NEWEST] and (v - v == 0.0 or q == VOID):
                return i
        i += 1
    return i


def worsens(points: Points, p: int, quality: int, arrived: int) -> bool:
    """Tell whether a bad sample says more of its point than what came before it."""
    at = WIDTH * p
    if points.grade[p] == UNWATCHED or arrived < points.graded[p] or arrived < points.whole[at + ARRIVED]:
        return False
    if quality != points.whole[at + QUIET_FROM]:
        return True
    points.graded[p] = arrived
    return False


def look_at(batch: Batch, columns: Columns, i: int) -> None:
    """Take a sample that may change something."""
    now = Moment(batch.source_ns[i], batch.gateway_ns[i], batch.value[i], 2 * i)
    if batch.quality[i] >= BAD_FROM:
        distrust(columns, batch.point[i], batch.quality[i], now)
    else:
        take(columns, batch.point[i], batch.quality[i], now)


def sweep(columns: Columns, now: int, start: int) -> int:
    """Finish what became due by the gateway's time ``now``; return the block where it stopped for want of room."""
    wake = columns.points.wake
    block_wake = columns.points.block_wake
    for block in range(start, len(block_wake)):
        if block_wake[block] > now:
            continue
        earliest = NEVER
        for p in range(block << BLOCK, min((block + 1) << BLOCK, len(wake))):
            if wake[p] <= now:
                if not has_room(columns, p):
                    return block
                advance(columns, p, Moment(now - lag(columns.points, p), now, held(columns.points, p), 0))
                rearm(columns, p)
            earliest = min(earliest, wake[p])
        block_wake[block] = earliest
    return len(block_wake)


def has_room(columns: Columns, p: int) -> bool:
    """Tell whether the records of one point fit, at most two of each of its rows."""
    first_row = columns.points.first_row
    needed = 2 * (first_row[p + 1] - first_row[p])
    return bool(columns.out.filled[0] + needed <= len(columns.out.value))


def lag(points: Points, p: int) -> int:
    """Return how far the point's own time is behind the gateway's."""
    at = WIDTH * p
    if points.whole[at + NEWEST] == UNSEEN:
        return 0
    return int(points.whole[at + ARRIVED] - points.whole[at + NEWEST])


def held(points: Points, p: int) -> float:
    """Return the newest usable sample's value."""
    return float(points.real[WIDTH * p + HELD])


def take(columns: Columns, p: int, quality: int, now: Moment) -> None:
    """Take a usable sample that may change something."""
    points = columns.points
    at = WIDTH * p
    passed = max(now.t, now.arrived - lag(points, p))
    if passed >= points.whole[at + DUE] or now.arrived >= points.wake[p]:
        advance(columns, p, Moment(passed, now.arrived, held(points, p), now.step))
    regard(points, p, quality, now.arrived)
    points.whole[at + NEWEST] = now.t
    points.whole[at + ARRIVED] = now.arrived
    points.real[at + HELD] = now.value
    judge(columns, p, Moment(now.t, now.arrived, now.value, now.step + 1))


def distrust(columns: Columns, p: int, quality: int, now: Moment) -> None:
    """Take a bad sample, of which nothing counts but its quality and when it came."""
    points, rows, _ = columns
    if now.arrived >= points.wake[p]:
        advance(columns, p, Moment(now.arrived - lag(points, p), now.arrived, held(points, p), now.step))
    regard(points, p, quality, now.arrived)
    for r in range(points.first_row[p], points.first_row[p + 1]):
        if rows.setup[rows.live[r, SHAPE], KIND] == QUALITY:
            weigh(columns, p, r, Moment(now.arrived, now.arrived, math.nan, now.step + 1))
    rearm(columns, p)


def regard(points: Points, p: int, quality: int, arrived: int) -> None:
    """Note a point's quality, unless something that came later has told it already."""
    if points.grade[p] == UNWATCHED:
        return
    at = WIDTH * p
    # Quiet samples told the same quality and moved only the sample's own time.
    points.graded[p] = max(points.graded[p], points.whole[at + ARRIVED])
    if arrived >= points.graded[p]:
        points.graded[p] = arrived
        points.grade[p] = quality
        points.whole[at + QUIET_FROM] = quality
        points.whole[at + QUIET_TO] = quality + 1 if quality < BAD_FROM else quality


def advance(columns: Columns, p: int, now: Moment) -> None:
    """Let time pass for one point, whose value meanwhile was ``now.value``."""
    points, rows, _ = columns
    for r in range(points.first_row[p], points.first_row[p + 1]):
        kind = rows.setup[rows.live[r, SHAPE], KIND]
        if kind == NO_DATA:
            grow_silent(columns, p, r, now)
        elif kind == QUALITY:
            ripen(columns, r, Moment(now.arrived, now.arrived, float(points.grade[p]), now.step))
        else:
            ripen(columns, r, now)


def ripen(columns: Columns, r: int, now: Moment) -> None:
    """Finish a row's delay if it is over at ``now.t``."""
    _, rows, out = columns
    phase = rows.live[r, PHASE]
    since = rows.live[r, SINCE]
    if phase == PENDING and since + rows.setup[rows.live[r, SHAPE], ON_DELAY] <= now.t:
        end = since + rows.setup[rows.live[r, SHAPE], ON_DELAY]
        record(out, Record(r, RAISED, now.step, end, since, now.value))
        move(columns, r, ACTIVE, end)
    elif phase == LEAVING and since + rows.setup[rows.live[r, SHAPE], OFF_DELAY] <= now.t:
        end = since + rows.setup[rows.live[r, SHAPE], OFF_DELAY]
        record(out, Record(r, CLEARED, now.step, end, since, now.value))
        move(columns, r, NORMAL, end)


def grow_silent(columns: Columns, p: int, r: int, now: Moment) -> None:
    """Let silence grow: pending from half the timeout on (so that a restart knows), active at the whole."""
    points, rows, out = columns
    timeout = rows.setup[rows.live[r, SHAPE], ON_DELAY]
    if rows.live[r, PHASE] == NORMAL:
        heard = max(
            points.whole[WIDTH * p + ARRIVED], rows.live[r, SINCE]
        )  # nobody listened before the row's own beginning
        if now.arrived >= heard + timeout // 2:
            move(columns, r, PENDING, heard)
    if rows.live[r, PHASE] == PENDING and now.arrived >= rows.live[r, SINCE] + timeout:
        heard = rows.live[r, SINCE]
        record(out, Record(r, RAISED, now.step, heard + timeout, heard, math.nan))
        move(columns, r, ACTIVE, heard + timeout)


def judge(columns: Columns, p: int, now: Moment) -> None:
    """Apply a sample to all rows of its point, and draw the band of values and times that change none of them."""
    points, rows, _ = columns
    behind = now.arrived - now.t
    wake = NEVER
    is_void = math.isnan(now.value)
    lo = math.inf if is_void else -math.inf
    hi = -math.inf if is_void else math.inf
    for r in range(points.first_row[p], points.first_row[p + 1]):
        kind = rows.setup[rows.live[r, SHAPE], KIND]
        if kind == VALUE:
            true = holds(rows, r, now.value)
            follow(columns, r, true, now)
            row_lo, row_hi = band(rows, r, true, now.value)
            lo = max(lo, row_lo)
            hi = min(hi, row_hi)
        elif kind == NO_DATA:
            hear(columns, r, now)
        elif kind == QUALITY:
            weigh(columns, p, r, now)
        elif not is_void:
            hi = min(hi, read_meter(columns, r, now))
        wake = min(wake, ripe(columns, p, r, behind))
    points.real[WIDTH * p + LO] = lo
    points.real[WIDTH * p + HI] = hi
    expect(points, p, wake, wake - behind)


def weigh(columns: Columns, p: int, r: int, now: Moment) -> None:
    """Apply the point's quality to a row that watches it, unless a sample that came later has decided it."""
    points = columns.points
    if now.arrived >= points.graded[p]:
        code = float(points.grade[p])
        follow(columns, r, holds(columns.rows, r, code), Moment(now.arrived, now.arrived, code, now.step))
        if columns.rows.live[r, PHASE] == PENDING:
            mark(columns, r)  # if the delay ends after a restart, the code is its evidence


def holds(rows: Rows, r: int, v: float) -> bool:
    """Tell whether a row's condition is true at ``v``, given whether it was true before."""
    was_true = rows.live[r, PHASE] in (PENDING, ACTIVE, OVERDUE)
    for k in range(rows.setup[rows.live[r, SHAPE], FIRST_RANGE], rows.setup[rows.live[r, SHAPE] + 1, FIRST_RANGE]):
        if was_true and rows.edge[k, STAY_LO] < v < rows.edge[k, STAY_HI]:
            return True
        if rows.edge[k, ENTER_LO] <= v <= rows.edge[k, ENTER_HI]:
            return True
    return False


def band(rows: Rows, r: int, true: bool, v: float) -> tuple[float, float]:  # noqa: FBT001  # numba has no keyword-only arguments
    """Return the open interval around ``v`` in which the row's condition stays as it is."""
    lo = -math.inf
    hi = math.inf
    for k in range(rows.setup[rows.live[r, SHAPE], FIRST_RANGE], rows.setup[rows.live[r, SHAPE] + 1, FIRST_RANGE]):
        if true:
            if rows.edge[k, STAY_LO] < v < rows.edge[k, STAY_HI]:
                lo = max(lo, rows.edge[k, STAY_LO])
                hi = min(hi, rows.edge[k, STAY_HI])
        elif v < rows.edge[k, ENTER_LO]:
            hi = min(hi, rows.edge[k, ENTER_LO])
        else:
            lo = max(lo, rows.edge[k, ENTER_HI])
    return lo, hi


def follow(columns: Columns, r: int, true: bool, now: Moment) -> None:  # noqa: FBT001  # as above
    """Move a row on after a sample that made its condition true or false."""
    _, rows, out = columns
    phase = rows.live[r, PHASE]
    at = max(now.t, rows.live[r, SINCE])  # a sweep may have finished a delay that this sample's time does not reach
    if phase in (OVERDUE, OVERDUE_LEAVING):
        catch_up(columns, r, true, now)
    elif true:
        become_true(columns, r, at, now)
    elif phase == PENDING:
        move(columns, r, NORMAL, at)
    elif phase in (ACTIVE, CHANGED):
        if rows.setup[rows.live[r, SHAPE], OFF_DELAY] > 0:
            move(columns, r, LEAVING, at)
        else:
            record(out, Record(r, CLEARED, now.step, at, at, now.value))
            move(columns, r, NORMAL, at)


def become_true(columns: Columns, r: int, at: int, now: Moment) -> None:
    """Move a row on whose condition is true at the time ``at``."""
    _, rows, out = columns
    phase = rows.live[r, PHASE]
    if phase == NORMAL:
        if rows.setup[rows.live[r, SHAPE], ON_DELAY] > 0:
            move(columns, r, PENDING, at)
        else:
            record(out, Record(r, RAISED, now.step, at, at, now.value))
            move(columns, r, ACTIVE, at)
    elif phase == LEAVING:
        move(columns, r, ACTIVE, at)
    elif phase == CHANGED:
        record(out, Record(r, CONFIRMED, now.step, at, at, now.value))
        move(columns, r, ACTIVE, at)


def catch_up(columns: Columns, r: int, true: bool, now: Moment) -> None:  # noqa: FBT001  # as above
    """Decide a delay that nobody watched to its end: it counts if the condition is still as it was then."""
    _, rows, out = columns
    rising = rows.live[r, PHASE] == OVERDUE
    since = rows.live[r, SINCE]
    end = since + (rows.setup[rows.live[r, SHAPE], ON_DELAY] if rising else rows.setup[rows.live[r, SHAPE], OFF_DELAY])
    if true != rising:
        move(columns, r, ACTIVE if true else NORMAL, max(now.t, since))
    elif now.t < end:  # the sample had waited on its way: by the source's time the delay still runs
        move(columns, r, PENDING if rising else LEAVING, since)
    else:
        record(out, Record(r, RAISED if rising else CLEARED, now.step, end, since, now.value))
        move(columns, r, ACTIVE if rising else NORMAL, end)


def hear(columns: Columns, r: int, now: Moment) -> None:
    """End a silence."""
    _, rows, out = columns
    phase = rows.live[r, PHASE]
    if phase == NORMAL:
        return
    if phase != PENDING:
        at = max(now.t, rows.live[r, SINCE])
        record(out, Record(r, CLEARED, now.step, at, at, now.value))
    move(columns, r, NORMAL, now.arrived)


def read_meter(columns: Columns, r: int, now: Moment) -> float:
    """Report a newly passed multiple; return the value at which the next one is passed.

    The first value only arms the row. A meter that falls back (replaced, rolled over) reports nothing until it passes
    its highest multiple again, since that multiple's order was opened once already.
    """
    _, rows, out = columns
    every = rows.edge[rows.setup[rows.live[r, SHAPE], FIRST_RANGE], ENTER_LO]
    multiple = int(max(min(now.value / every, _LARGEST), -_LARGEST) // 1.0)
    if rows.live[r, PHASE] != ARMED:
        move(columns, r, ARMED, multiple)
    elif multiple > rows.live[r, SINCE]:
        record(out, Record(r, PASSED, now.step, now.t, multiple, now.value))
        move(columns, r, ARMED, multiple)
    return float((rows.live[r, SINCE] + 1) * every)


def rearm(columns: Columns, p: int) -> None:
    """Set when the point has to be looked at although nothing came."""
    points, rows, _ = columns
    behind = lag(points, p)
    wake = NEVER
    broken_by_sample = False
    for r in range(points.first_row[p], points.first_row[p + 1]):
        wake = min(wake, ripe(columns, p, r, behind))
        if rows.setup[rows.live[r, SHAPE], KIND] == NO_DATA and rows.live[r, PHASE] != NORMAL:
            broken_by_sample = True
    expect(points, p, wake, UNSEEN if broken_by_sample else wake - behind)


def expect(points: Points, p: int, wake: int, due: int) -> None:
    """Note by the gateway's time when a sweep, and by the source's when a sample, has to look at the point."""
    points.wake[p] = wake
    points.whole[WIDTH * p + DUE] = due
    block = p >> BLOCK
    points.block_wake[block] = min(points.block_wake[block], wake)


def ripe(columns: Columns, p: int, r: int, behind: int) -> int:
    """Return the gateway's time at which a row changes by itself."""
    points, rows, _ = columns
    phase = rows.live[r, PHASE]
    kind = rows.setup[rows.live[r, SHAPE], KIND]
    if kind == NO_DATA:
        if phase == NORMAL:
            return int(
                max(points.whole[WIDTH * p + ARRIVED], rows.live[r, SINCE])
                + rows.setup[rows.live[r, SHAPE], ON_DELAY] // 2
            )
        return int(rows.live[r, SINCE] + rows.setup[rows.live[r, SHAPE], ON_DELAY]) if phase == PENDING else NEVER
    if kind == QUALITY:
        behind = 0
    if phase == PENDING:
        return int(rows.live[r, SINCE] + rows.setup[rows.live[r, SHAPE], ON_DELAY] + behind)
    return int(rows.live[r, SINCE] + rows.setup[rows.live[r, SHAPE], OFF_DELAY] + behind) if phase == LEAVING else NEVER


def move(columns: Columns, r: int, phase: int, since: int) -> None:
    """Enter a phase."""
    columns.rows.live[r, PHASE] = phase
    columns.rows.live[r, SINCE] = since
    mark(columns, r)


def mark(columns: Columns, r: int) -> None:
    """Remember that a row's durable state changed."""
    _, rows, out = columns
    if rows.live[r, MARKED] == 0:
        rows.live[r, MARKED] = 1
        out.changed[out.filled[1]] = r
        out.filled[1] += 1


def record(out: Output, line: Record) -> None:
    """Append one record."""
    n = out.filled[0]
    out.line[n, ROW] = line.row
    out.line[n, CODE] = line.code
    out.line[n, STEP] = line.step
    out.line[n, AT] = line.at
    out.line[n, BEGAN] = line.began
    out.value[n] = line.value
    out.filled[0] = n + 1


plain = Kernel(scan, sweep)
"""The kernel as plain Python, for small batches and for machines without numba."""

HELPERS = (
    pass_quiet, worsens, look_at, has_room, lag, held, take, distrust, regard, advance, ripen, grow_silent, judge,
    weigh, holds, band, follow, become_true, catch_up, hear, read_meter, rearm, expect, ripe, move, mark,
    record,
)  # fmt: skip
"""What ``scan`` and ``sweep`` call; whoever compiles them has to compile these as well."""
