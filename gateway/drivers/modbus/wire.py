"""An open TCP connection, TLS session or serial port, on which one request at a time waits for its answer."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, NamedTuple, cast

from facility.modbus_options import SERIAL_TRANSPORTS, ModbusOptions, ModbusTransport
from facility.model import Connection
from gateway.drivers.modbus.framing import ASCII, RTU, TCP, Asked, Framing
from gateway.drivers.modbus.pdu import answer_size
from gateway.drivers.modbus.serial_port import SerialPort, frame_gap_s, transmission_s

MAX_ARRIVED: Final = 4096
"""Bytes kept while an answer is waited for; the longest answer has 513 (ASCII), so more is noise."""

MAX_TRANSACTION: Final = 0xFFFF

FRAMINGS: Final = {
    ModbusTransport.TCP: TCP,
    ModbusTransport.TLS: TCP,
    ModbusTransport.RTU_TCP: RTU,
    ModbusTransport.RTU: RTU,
    ModbusTransport.ASCII: ASCII,
}


class _Waiting(NamedTuple):
    asked: Asked
    answer: asyncio.Future[bytes]


class Wire(asyncio.Protocol):
    """One open wire; a new one is made for every connection, so nothing of a broken one lives on."""

    def __init__(self, framing: Framing, *, baudrate: int | None = None) -> None:
        self._framing = framing
        self._baudrate = baudrate
        self._transport: asyncio.WriteTransport | None = None
        self._arrived = bytearray()
        self._transaction = 0
        self._waiting: _Waiting | None = None

    @property
    def is_open(self) -> bool:
        """Say whether the wire stands, as far as this side knows."""
        return self._transport is not None

    @property
    def gap_s(self) -> float:
        """Return the silence that the wire itself needs between two frames, in wall seconds."""
        return frame_gap_s(self._baudrate) if self._baudrate and self._framing is RTU else 0.0

    async def exchange(self, unit: int, request: bytes, timeout_s: float) -> bytes:
        """Send one request and return the answer's function and data.

        Whatever else arrives is passed over: an answer to an earlier request, another unit's, noise. Nobody else may
        be waiting.

        Raises:
            TimeoutError: Nothing that fits came in time.
            ConnectionError: The wire broke, or was broken before.
        """
        if self._transport is None:
            raise ConnectionError
        self._transaction = self._transaction + 1 & MAX_TRANSACTION
        asked = Asked(self._transaction, unit, request[0])
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting = _Waiting(asked, answer)
        self._arrived.clear()
        self._transport.write(self._framing.wrap(asked, request))
        try:
            async with asyncio.timeout(timeout_s + self._on_the_wire_s(request)):
                return await answer
        finally:
            self._waiting = None

    def close(self) -> None:
        """Break the wire off at once: a device that takes one session only is free for the next one."""
        if self._transport is not None:
            self._transport.abort()
            self._break(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the open transport."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Look for the answer that is waited for; drop what comes unasked."""
        if self._waiting is None or self._waiting.answer.done():
            return
        self._arrived += data
        del self._arrived[:-MAX_ARRIVED]
        found = self._framing.find(bytes(self._arrived), self._waiting.asked)
        if found is not None:
            self._waiting.answer.set_result(found)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._break(exc)

    def _break(self, reason: Exception | None) -> None:
        self._transport = None
        if self._waiting is not None and not self._waiting.answer.done():
            self._waiting.answer.set_exception(ConnectionError(str(reason or "the other end closed it")))

    def _on_the_wire_s(self, request: bytes) -> float:
        """Return how long request and answer take to pass over a serial line; no time elsewhere."""
        if not self._baudrate:
            return 0.0
        data = len(request) + answer_size(request)
        return transmission_s(data * self._framing.characters_per_byte + 2 * self._framing.overhead, self._baudrate)


async def open_wire(connection: Connection, options: ModbusOptions) -> Wire:
    """Open what a connection names.

    Raises:
        TimeoutError: Nobody took the connection in time.
        OSError: It was refused, the certificate is not trusted (``ssl.SSLError``), or the serial port cannot be had.
    """
    loop = asyncio.get_running_loop()
    framing = FRAMINGS[options.transport]
    if options.transport in SERIAL_TRANSPORTS:
        wire = Wire(framing, baudrate=options.baudrate)
        SerialPort(loop, wire, options)
        return wire
    tls = tls_context(options) if options.transport is ModbusTransport.TLS else None
    name = (options.server_name or connection.host) if tls else None
    wire = Wire(framing)
    async with asyncio.timeout(options.timeout_s):
        await loop.create_connection(lambda: wire, connection.host, connection.port, ssl=tls, server_hostname=name)
    return wire


def tls_context(options: ModbusOptions) -> ssl.SSLContext:
    """Return how to check the device and to show who we are; reads the files anew, since certificates are renewed.

    Raises:
        OSError: A file cannot be read, or is not what it should be (``ssl.SSLError``).
    """
    context = ssl.create_default_context(cafile=options.ca_file)
    if options.certificate_file:
        context.load_cert_chain(options.certificate_file, options.key_file)
    return context
