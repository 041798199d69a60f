"""The demo as a person runs it: it greets, and it stops when it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import orjson

from tests.app.processes import wait_until, watchkeeper

START_S = 90.0
"""What the first sample may take on a slow machine."""
STOP_S = 15.0


def test_ctrl_c_stops_the_demo_cleanly(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with watchkeeper("demo", "--port", "0", environment={}, log=log) as demo:
        wait_until(lambda: "Harbour Tower is running" in log.read_text(), within_s=START_S, why=log.read_text)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(STOP_S) == 0
    said = log.read_text()
    assert "Traceback" not in said
    assert "leaked" not in said
    assert said.endswith("Stopped.\n")


def test_a_headless_demo_prints_nothing_but_its_summary() -> None:
    command = [sys.executable, "-m", "app.cli", "demo", "--headless", "--seconds", "8", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=START_S, check=False)  # noqa: S603  # our own command
    assert done.returncode in (0, 1), done.stderr.decode()
    summary = orjson.loads(done.stdout)
    assert {"samples", "points", "rules", "alarms_raised", "work_orders", "latency_ms", "errors"} <= summary.keys()
    assert done.returncode == (0 if summary["ok"] else 1)
    assert b"Traceback" not in done.stderr
