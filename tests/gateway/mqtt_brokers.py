"""Brokers with accounts and certificates, and a network that can swallow what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import trustme

from tests.servers import Mosquitto, free_port


def broker_in(folder: Path, *lines: str) -> Mosquitto:
    """Write a broker's configuration of one's own; queued messages survive in the folder."""
    port = free_port()
    common = ["set_tcp_nodelay true", "max_queued_messages 0", "persistence true", f"persistence_location {folder}/"]
    text = "\n".join([f"listener {port} 127.0.0.1", *common, "user root", *lines])
    (folder / "mosquitto.conf").write_text(f"{text}\n")
    return Mosquitto(port, folder)


def write_certificates(folder: Path, authority: trustme.CA, name: str) -> None:
    """Write ``name.pem`` and ``name.key`` of a certificate for this machine."""
    issued = authority.issue_cert("127.0.0.1", common_name=name)
    issued.private_key_pem.write_to_path(folder / f"{name}.key")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(folder / f"{name}.pem", append=True)


class Swallower:
    """A stretch of network: it passes everything on until it is told to swallow, and says nothing then either."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = free_port()
        self.swallowed = 0
        """Bytes that vanished."""
        self._swallowing: set[int] = set()
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: list[asyncio.StreamWriter] = []

    def swallow(self) -> None:
        """Let all present connections hang in the air; new ones work."""
        self._swallowing = set(range(self._connections))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._on_connection, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for end in self._ends:
                end.close()
            await asyncio.gather(*(end.wait_closed() for end in self._ends), return_exceptions=True)

    async def _on_connection(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        number, self._connections = self._connections, self._connections + 1
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self._target)
        self._ends += [near_out, far_out]
        for source, target in ((near_in, far_out), (far_in, near_out)):
            task = asyncio.create_task(self._pass_on(number, source, target))
            self._tasks.add(task)

    async def _pass_on(self, number: int, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                if number in self._swallowing:
                    self.swallowed += len(data)
                else:
                    target.write(data)
                    await target.drain()
        except ConnectionError:
            pass
        finally:
            if number not in self._swallowing:
                target.close()
