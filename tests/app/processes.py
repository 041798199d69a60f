"""Watchkeeper's own commands as processes, with private data and addresses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port


def addresses(mqtt_port: int) -> dict[str, str]:
    """Return the environment that the demo's site file asks for, with a broker on that port."""
    return {
        "WATCHKEEPER_MQTT_HOST": "127.0.0.1",
        "WATCHKEEPER_MQTT_PORT": str(mqtt_port),
        "WATCHKEEPER_MODBUS_HOST": "127.0.0.1",
        "WATCHKEEPER_MODBUS_PORT": str(free_port()),
        "WATCHKEEPER_BACNET_HOST": "127.0.0.1",
        "WATCHKEEPER_BACNET_PORT": str(free_port()),
    }


@contextmanager
def watchkeeper(*arguments: str, environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends; its output is appended to ``log``."""
    command = [sys.executable, "-m", "app.cli", *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, env={**inherited(), **environment}, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def inherited() -> dict[str, str]:
    """Return this process's environment, with leave to keep compiled modules: many starts follow each other."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def wait_until(holds: Callable[[], bool], *, within_s: float, why: Callable[[], str]) -> None:
    """Return when something holds; fail with the reason when it does not in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {within_s:g} s: {why()}")
        time.sleep(0.1)
