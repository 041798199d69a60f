"""How well the shipped baseline finds a valve that slowly closes, on recordings of a pump test bed.

``uv run --group bench python -m benchmarks.pump_testbed FOLDER --json``: every ``*.csv`` of the folder that has the
column ``anomaly`` is one experiment. Its first 400 rows are the good period; the others are taken one by one, as they
would come, and scored against the label. The settings are the shipped ones, the same for all; rows of all experiments
are pooled.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rules.baseline import Chart, fit

GOOD_ROWS = 400
LABELS = {"anomaly", "changepoint"}
TIME = "datetime"


def experiment(path: Path) -> tuple[npt.NDArray[np.float64], list[bool]] | None:
    """Return a recording's measured columns, and which rows are labelled; ``None`` for one without labels."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    if not rows or "anomaly" not in rows[0]:
        return None
    measured = [name for name in rows[0] if name not in LABELS | {TIME}]
    values = np.array([[float(row[name]) for name in measured] for row in rows])
    return values, [float(row["anomaly"]) > 0 for row in rows]


def outcomes(values: npt.NDArray[np.float64], labels: list[bool]) -> Counter[tuple[bool, bool]]:
    """Return how often (label, alarm) came."""
    chart = Chart(fit(values[:GOOD_ROWS]))
    for row in values[:GOOD_ROWS]:
        chart.take(row)
    alarms = [chart.take(row).is_beyond for row in values[GOOD_ROWS:]]
    return Counter(zip(labels[GOOD_ROWS:], alarms, strict=True))


def score(folder: Path) -> dict[str, float]:
    """Return F1, false-alarm and missed-alarm rate (percent) over all labelled experiments of a folder.

    Raises:
        FileNotFoundError: The folder has none.
    """
    found = [each for path in sorted(folder.glob("*.csv")) if (each := experiment(path)) is not None]
    if not found:
        raise FileNotFoundError(f"no labelled experiment (*.csv with a column 'anomaly') in {folder}")
    pooled = sum((outcomes(*each) for each in found), Counter[tuple[bool, bool]]())
    hits, false, missed, quiet = pooled[True, True], pooled[False, True], pooled[True, False], pooled[False, False]
    return {
        "f1": round(2 * hits / (2 * hits + false + missed), 3),
        "far_percent": round(100 * false / (false + quiet), 2),
        "mar_percent": round(100 * missed / (missed + hits), 2),
        "experiments": len(found),
    }


def main() -> None:
    """Score a folder and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    try:
        figures = score(arguments.folder)
    except FileNotFoundError as error:
        parser.error(str(error))
    print(json.dumps(figures) if arguments.json else "\n".join(f"{key:12} {value}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
