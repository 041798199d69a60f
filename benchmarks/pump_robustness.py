"""How much the pump table of :mod:`benchmarks.pump_testbed` hangs on its settings, files, columns and noise.

``uv run --group bench python -m benchmarks.pump_robustness FOLDER``: prints F1, FAR and MAR of the shipped condition
with one thing changed at a time. docs/decisions/0022 has the figures and what was concluded.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.pump_testbed import (
    GOOD_ROWS,
    SHIPPED,
    TIME,
    Recording,
    figures,
    outcomes,
    ratios,
    recording,
    taught,
    time_ns,
)

Change = Callable[[Recording, int], Recording]


def noisier(share: float) -> Change:
    """Return what adds noise, as a share of the noise that each column has."""

    def change(recorded: Recording, number: int) -> Recording:
        noise = np.diff(recorded.values[:GOOD_ROWS], axis=0).std(axis=0) / np.sqrt(2.0)
        random = np.random.default_rng(number)
        return replace(recorded, values=recorded.values + share * noise * random.normal(size=recorded.values.shape))

    return change


def without(*names: str) -> Change:
    """Return what leaves columns out."""

    def change(recorded: Recording, _number: int) -> Recording:
        return recorded.only([place for place, name in enumerate(recorded.names) if name not in names])

    return change


def later(rows: int) -> Change:
    """Return what begins so many rows later."""

    def change(recorded: Recording, _number: int) -> Recording:
        return replace(
            recorded,
            times_ns=recorded.times_ns[rows:],
            values=recorded.values[rows:],
            labels=recorded.labels[rows:],
        )

    return change


def backwards(recorded: Recording, _number: int) -> Recording:
    """Teach the good period from its end to its beginning."""
    values = np.concatenate([recorded.values[:GOOD_ROWS][::-1], recorded.values[GOOD_ROWS:]])
    return replace(recorded, values=values)


def every_other(recorded: Recording, _number: int) -> Recording:
    """Leave out every other row."""
    return Recording(recorded.names, recorded.times_ns[::2], recorded.values[::2], recorded.labels[::2])


def as_it_is(recorded: Recording, _number: int) -> Recording:
    """Change nothing."""
    return recorded


def checks(names: list[str]) -> Iterator[tuple[str, Change, int, dict[str, float]]]:
    """Yield what is changed: its name, the recording's change, the good rows and the condition's settings."""
    yield "as shipped", as_it_is, GOOD_ROWS, {}
    for smoothing in (0.07, 0.085, 0.12, 0.15):
        yield f"smoothing {smoothing:g}", as_it_is, GOOD_ROWS, {"smoothing": smoothing}
    for factor in (3.0, 3.5, 4.5, 5.0):
        yield f"limit_factor {factor:g}", as_it_is, GOOD_ROWS, {"limit_factor": factor}
    for rows in (250, 300, 350, 450, 500):
        yield f"{rows} good rows", as_it_is, rows, {}
    for rows in (50, 100, 150):
        yield f"good period {rows} rows later", later(rows), GOOD_ROWS, {}
    yield "good period backwards", backwards, GOOD_ROWS, {}
    for share in (0.5, 1.0):
        yield f"{share:.0%} more noise", noisier(share), GOOD_ROWS, {}
    yield "every other row, grid of 2 s", every_other, GOOD_ROWS // 2, {"sample_s": 2.0}
    for name in names:
        yield f"without {name}", without(name), GOOD_ROWS, {}


def row(name: str, pooled: Counter[tuple[bool, bool]]) -> str:
    """Return one line of the table."""
    said = figures(pooled)
    return f"{name:36} {said['f1']:6.3f} {said['far_percent']:6.2f} {said['mar_percent']:6.2f}"


def halves(single: list[Counter[tuple[bool, bool]]]) -> str:
    """Return the worst and the median of many halves of the files."""
    random = np.random.default_rng(0)
    every = list(combinations(range(len(single)), len(single) // 2))
    chosen = [every[place] for place in random.choice(len(every), min(500, len(every)), replace=False)]
    said = [figures(sum((single[each] for each in half), Counter())) for half in chosen]
    f1, far = (np.array([each[key] for each in said]) for key in ("f1", "far_percent"))
    return (
        f"halves of the files: F1 {f1.min():.3f} at worst, {np.percentile(f1, 5):.3f} for one in twenty, "
        f"{np.median(f1):.3f} at the median; FAR {far.max():.1f} at worst, {np.percentile(far, 95):.1f} for one in 20"
    )


def fault_free(path: Path) -> Iterator[str]:
    """Yield for how long a good period of each length keeps a machine without any fault quiet."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    names = [name for name in rows[0] if name != TIME]
    values = np.array([[float(each[name]) for name in names] for each in rows])
    run = Recording(names, [time_ns(each[TIME]) for each in rows], values, [False] * len(rows))
    for good in (400, 1000, 2000, 3600, 5000):
        signal = taught(run, good)
        beyond = np.array(list(ratios(signal, run.times_ns[good:], run.values[good:]))) > 1
        quiet = int(np.argmax(beyond)) if beyond.any() else len(beyond)
        yield f"fault-free run, {good} good rows: the first alarm after {quiet} of {len(beyond)} rows"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    recordings = [each for path in sorted(folder.rglob("*.csv")) if (each := recording(path)) is not None]
    print(f"{'':36} {'F1':>6} {'FAR %':>6} {'MAR %':>6}")
    for name, change, good_rows, settings in checks(recordings[0].names):
        condition = SHIPPED.model_copy(update=settings)
        single = [outcomes(change(each, number), good_rows, condition) for number, each in enumerate(recordings)]
        print(row(name, sum(single, Counter())), flush=True)
        if name == "as shipped":
            print(halves(single), flush=True)
    print(*fault_free(folder / "anomaly-free.csv"), sep="\n")


if __name__ == "__main__":
    main()
