"""A TCP proxy for tests: it passes bytes on until it is told to swallow them, as a broken network would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Proxy:
    """Passes connections on to a port of this machine."""

    def __init__(self, target: int) -> None:
        self.swallowing = False
        """Bytes vanish and connections stay open: nobody is told that the other one is gone."""
        self.delay_s = 0.0
        """Wall seconds for which bytes on their way back are held."""
        self.connections = 0
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a new connection."""
        self.connections += 1
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def close(self) -> None:
        """Break all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until both ends have closed."""
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer, back=True))
        finally:
            writer.close()
            there_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                if back and self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if not self.swallowing:
                    writer.write(data)
        writer.close()


@contextlib.asynccontextmanager
async def proxying(port: int, target: int) -> AsyncIterator[Proxy]:
    """Listen on ``port`` and pass on to ``target`` until the block ends."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.take, "127.0.0.1", port)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
