"""Real servers for tests: each is private, on a free loopback port, and ends with the test session."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

START_TIMEOUT_S = 60.0
_PORTS = range(10_000, 32_000)
"""Below what operating systems give to outgoing connections, which would take a port between our look and our use."""
_given: set[int] = set()


def free_port() -> int:
    """Return a loopback port, of TCP and of UDP, that nobody holds now; never the same twice.

    Chosen at random, so that two test runs on one machine hardly ever meet.
    """
    while True:
        port = secrets.choice(_PORTS)
        if port not in _given and all(map(_is_free, (socket.SOCK_STREAM, socket.SOCK_DGRAM), (port, port))):
            _given.add(port)
            return port


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def binary(name: str) -> str:
    """Return the path of a program, or skip the test with the reason."""
    debian = ["/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    for place in (None, os.pathsep.join(debian)):
        found = shutil.which(name, path=place)
        if found:
            return found
    pytest.skip(f"{name} is not on PATH; .ci/run installs it")


def wait_for_port(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return when something listens; fail when the process ended or nothing does in time."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            pytest.fail(f"{process.args!r} ended with {process.returncode} before it listened on {port}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return
        time.sleep(0.02)
    pytest.fail(f"nothing listens on port {port} after {START_TIMEOUT_S:g} s")


@contextlib.contextmanager
def running(command: Sequence[str], *, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; its output goes to ``log``."""
    with log.open("ab") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:  # noqa: S603
        try:
            wait_for_port(port, process)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass(frozen=True, slots=True)
class Mosquitto:
    """A private broker that can be stopped and started again on the same port."""

    port: int
    folder: Path

    def command(self) -> list[str]:
        """Return the command line that starts it."""
        return [binary("mosquitto"), "-c", str(self.folder / "mosquitto.conf")]

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it until the block ends; queued messages survive in its folder."""
        with running(self.command(), port=self.port, log=self.folder / "mosquitto.log") as process:
            yield process


def mosquitto_in(folder: Path) -> Mosquitto:
    """Write a broker's configuration: loopback only, no delay on small packets, persistence in the folder."""
    port = free_port()
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
        f"persistence true\npersistence_location {folder}/\nuser root\n"
    )
    return Mosquitto(port, folder)
