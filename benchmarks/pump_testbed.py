"""How well the shipped baseline finds a valve that slowly closes, on recordings of a pump test bed.

``uv run --group bench python -m benchmarks.pump_testbed FOLDER --json``: every ``*.csv`` in or below the folder that
has the column ``anomaly`` is one experiment. Its first 400 rows are the good period; the others are taken one by one,
as they would come, and scored against the label. The rule is the shipped condition as a class file would write it, with
its defaults, the same for all; rows of all experiments are pooled.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from facility.clock import NS_PER_S
from facility.conditions import Baseline
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from rules.baseline import Matrix, fit
from rules.signals.chart import ChartSignal, grid_ns, held, steps_between

GOOD_ROWS = 400
LABELS = {"anomaly", "changepoint"}
TIME = "datetime"
HOLD_NS = 600 * NS_PER_S
SHIPPED = Baseline(type="baseline", points=["every", "column"])
"""The condition with its defaults; each recording names its own points."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One experiment's rows, oldest first."""

    names: list[str]
    """Of the measured columns."""
    times_ns: list[int]
    values: Matrix
    labels: list[bool]

    def only(self, wanted: Sequence[int]) -> Recording:
        """Return the same rows with some of the columns."""
        return Recording([self.names[place] for place in wanted], self.times_ns, self.values[:, wanted], self.labels)


def recording(path: Path) -> Recording | None:
    """Return an experiment; ``None`` for a recording without labels."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    if not rows or "anomaly" not in rows[0]:
        return None
    names = [name for name in rows[0] if name not in LABELS | {TIME}]
    return Recording(
        names=names,
        times_ns=[time_ns(row[TIME]) for row in rows],
        values=np.array([[float(row[name]) for name in names] for row in rows]),
        labels=[float(row["anomaly"]) > 0 for row in rows],
    )


def time_ns(text: str) -> int:
    """Return the time that a recording's cell says, in nanoseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


def taught(recorded: Recording, good_rows: int = GOOD_ROWS, settings: Baseline = SHIPPED) -> ChartSignal:
    """Return the condition for a recording's columns, fitted on the first rows and at their end."""
    condition = settings.model_copy(update={"points": recorded.names})
    keys = range(len(recorded.names))
    samples = [
        Sample(key, at_ns, at_ns, value, Quality.GOOD)
        for at_ns, row in zip(recorded.times_ns[:good_rows], recorded.values[:good_rows].tolist(), strict=True)
        for key, value in zip(keys, row, strict=True)
    ]
    start_ns, end_ns = recorded.times_ns[0], recorded.times_ns[good_rows - 1] + 1
    times_ns = steps_between(start_ns, end_ns, grid_ns(condition))
    rows = held(SampleBatch.of(samples), keys, times_ns, hold_ns=HOLD_NS)
    baseline = fit(rows, names=recorded.names, smoothing=condition.smoothing)
    signal = ChartSignal(condition, baseline, keys)
    signal.begin(start_ns - 1)
    for _ in ratios(signal, recorded.times_ns[:good_rows], recorded.values[:good_rows]):
        pass
    return signal


def ratios(signal: ChartSignal, times_ns: Sequence[int], values: Matrix) -> Iterator[float]:
    """Take rows as they come and return what the condition says of each."""
    standing = values[0]
    for at_ns, row in zip(times_ns, values, strict=True):
        while signal.due_ns < at_ns:
            signal.reach(signal.due_ns, standing.tolist())
        standing = row
        yield signal.reach(at_ns, row.tolist()) if signal.due_ns == at_ns else signal.begin(at_ns)


def outcomes(
    recorded: Recording, good_rows: int = GOOD_ROWS, settings: Baseline = SHIPPED
) -> Counter[tuple[bool, bool]]:
    """Return how often (label, alarm) came."""
    moving = np.flatnonzero(np.ptp(recorded.values[:good_rows], axis=0) > 0)  # as the fitting's message asks for
    watched = recorded.only(moving.tolist())
    signal = taught(watched, good_rows, settings)
    said = ratios(signal, watched.times_ns[good_rows:], watched.values[good_rows:])
    return Counter(zip(watched.labels[good_rows:], (ratio > 1 for ratio in said), strict=True))


def figures(pooled: Counter[tuple[bool, bool]]) -> dict[str, float]:
    """Return F1, false-alarm and missed-alarm rate (percent)."""
    hits, false, missed, quiet = pooled[True, True], pooled[False, True], pooled[True, False], pooled[False, False]
    return {
        "f1": round(2 * hits / (2 * hits + false + missed), 3),
        "far_percent": round(100 * false / (false + quiet), 2),
        "mar_percent": round(100 * missed / (missed + hits), 2),
    }


def score(folder: Path) -> dict[str, float]:
    """Return the figures over all labelled experiments of a folder.

    Raises:
        FileNotFoundError: The folder has none.
    """
    found = [each for path in sorted(folder.rglob("*.csv")) if (each := recording(path)) is not None]
    if not found:
        raise FileNotFoundError(f"no labelled experiment (*.csv with a column 'anomaly') in {folder}")
    return {**figures(sum(map(outcomes, found), Counter())), "experiments": len(found)}


def main() -> None:
    """Score a folder and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    try:
        scored = score(arguments.folder)
    except FileNotFoundError as error:
        parser.error(str(error))
    print(json.dumps(scored) if arguments.json else "\n".join(f"{key:12} {value}" for key, value in scored.items()))


if __name__ == "__main__":
    main()
