"""Recordings of real equipment take the whole way: wire, gateway, rules, alarms, orders, history."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.process import EXIT_REFUSED
from tests.app.processes import wait_until, watchkeeper
from tests.app.recordings import recorded

LONGEST_S = 170.0
PUMP, LIFT_DOOR = "bench-pump-replay", "lift-door-replay"
NUMBER = re.compile(r"\d+(\.\d+)?")
FIRST_QUIET_ROWS = 400
MOST_WARNINGS = 10
"""A sensor that chatters through 31 hours may be in the log so often; it has 5,777 bad values."""


def replay(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "app.cli", "replay", *arguments]
    return subprocess.run(command, capture_output=True, timeout=LONGEST_S, check=False)  # noqa: S603  # our own command


def summary_of(outcome: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """Return what the command printed; fail with its log where it did not get that far."""
    assert outcome.returncode == 0, outcome.stderr.decode()[-4000:]
    summary: dict[str, Any] = orjson.loads(outcome.stdout)
    return summary


def warnings_in(log: bytes) -> list[dict[str, Any]]:
    """Return what was logged as a warning or worse."""
    entries = [orjson.loads(line) for line in log.splitlines() if line.startswith(b"{")]
    return [entry for entry in entries if entry["level"] in {"warning", "error", "critical"}]


def mangled_cells(file: Path) -> tuple[int, int]:
    """Count rows, and cells that are no number any more, without a line of our own reader."""
    with file.open(newline="") as text:
        rows = list(csv.reader(text))[1:]
    return len(rows), sum(not NUMBER.fullmatch(cell) for row in rows for cell in row)


def test_the_bench_pumps_alarm_comes_inside_the_labelled_window_and_opens_one_order() -> None:
    file = recorded("pump-testbed/0.csv")
    summary = summary_of(replay(str(file), "--profile", PUMP, "--speed", "60", "--json"))
    assert summary["rows"] == 1147
    assert summary["labelled_windows"] == [[573, 974]]
    [alarm] = summary["alarms"]
    assert alarm["rule"] == "load_lost"
    assert 573 <= alarm["row"] <= 973
    assert alarm["in_labelled_window"]
    assert summary["work_orders"] == 1
    assert summary["bad_samples"] == 0
    assert summary["samples"] > 0.5 * 8 * summary["rows"], "the line was read far less often than it changed"


def test_the_lift_doors_mangled_cells_become_bad_samples_and_raise_nothing() -> None:
    file = recorded("lift-vibration/lift.csv")
    outcome = replay(str(file), "--profile", LIFT_DOOR, "--speed", "1500", "--json")
    summary = summary_of(outcome)
    rows, mangled = mangled_cells(file)
    assert (rows, summary["rows"]) == (112_001, 112_001)
    assert summary["samples"] == rows * 3
    assert summary["bad_samples"] == mangled
    assert mangled > 5_000
    assert (summary["alarms"], summary["work_orders"]) == ([], 0)
    warnings = warnings_in(outcome.stderr)
    assert 1 <= len(warnings) <= MOST_WARNINGS
    assert {entry["topic"] for entry in warnings} == {"replay/lift-door/telemetry"}


def test_a_replay_that_is_stopped_tells_what_it_has_so_far(tmp_path: Path) -> None:
    recording, log = tmp_path / "lift.csv", tmp_path / "log"
    rows = "".join(f"93.7,73.9,{18 + row % 3}\n" for row in range(4000))
    recording.write_text(f"ball-bearing,humidity,vibration\n{rows}")
    command = ("replay", str(recording), "--profile", LIFT_DOOR, "--speed", "1")
    with watchkeeper(*command, environment={"TMPDIR": str(tmp_path)}, log=log) as job:
        # Its history is there once it plays; the file goes with the command.
        wait_until(lambda: any(tmp_path.glob("*/history/open-days.duckdb")), within_s=60, why=log.read_text)
        job.send_signal(signal.SIGINT)
        assert job.wait(30) == 0, log.read_text()
    assert "4000 rows became" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert not any(tmp_path.glob("*/history/open-days.duckdb"))


@pytest.mark.parametrize(
    ("content", "profile", "message"),
    [
        ("a,b\n1,2\n", LIFT_DOOR, "lift.csv:1: there is no column 'ball-bearing'"),
        ("ball-bearing,humidity,vibration\n1,2\n", LIFT_DOOR, "lift.csv:2: the row has fewer cells than the 3 columns"),
        (
            "ball-bearing,humidity,vibration\n",
            "lift-doors",
            "Give --profile one of: bench-pump-replay, lift-door-replay",
        ),
    ],
    ids=["another file", "a cut row", "an unknown profile"],
)
def test_a_recording_that_cannot_be_played_is_told_with_what_to_do(
    tmp_path: Path, content: str, profile: str, message: str
) -> None:
    (tmp_path / "lift.csv").write_text(content)
    outcome = replay(str(tmp_path / "lift.csv"), "--profile", profile)
    assert outcome.returncode == EXIT_REFUSED
    assert message in outcome.stderr.decode()
    assert b"Traceback" not in outcome.stderr
