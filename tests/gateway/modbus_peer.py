"""A small Modbus peer of our own for tests: it keeps registers and coils, and answers over any transport.

It shares no code with the driver: its frames are built with ``struct`` and checked bit by bit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2


@dataclass
class Memory:
    """What one unit holds, and how it takes requests."""

    registers: dict[int, int] = field(default_factory=dict)
    inputs: dict[int, int] = field(default_factory=dict)
    coils: dict[int, bool] = field(default_factory=dict)
    contacts: dict[int, bool] = field(default_factory=dict)
    """Discrete inputs."""
    lacks: set[int] = field(default_factory=set)
    """Functions that it does not have."""
    requests: list[bytes] = field(default_factory=list)

    def answer(self, request: bytes) -> bytes:
        """Return the answer's function and data."""
        self.requests.append(request)
        function, *_ = request
        known = {1: self._bits, 2: self._bits, 3: self._words, 4: self._words, 5: self._coil, 6: self._register}
        known |= {15: self._coils, 16: self._registers, 22: self._mask, 23: self._exchange}
        if function in self.lacks or function not in known:
            return bytes([function | 0x80, ILLEGAL_FUNCTION])
        try:
            return bytes([function]) + known[function](request)
        except KeyError:
            return bytes([function | 0x80, ILLEGAL_ADDRESS])

    def _bits(self, request: bytes) -> bytes:
        function, start, count = struct.unpack(">BHH", request)
        bits = self.coils if function == 1 else self.contacts
        data = bytearray((count + 7) // 8)
        for at in range(count):
            data[at // 8] |= bits[start + at] << at % 8
        return bytes([len(data)]) + data

    def _words(self, request: bytes) -> bytes:
        function, start, count = struct.unpack(">BHH", request)
        words = self.registers if function == 3 else self.inputs
        return struct.pack(f">B{count}H", 2 * count, *(words[start + at] for at in range(count)))

    def _coil(self, request: bytes) -> bytes:
        _, at, state = struct.unpack(">BHH", request)
        self.coils[at] = {0xFF00: True, 0: False}[state]
        return request[1:]

    def _coils(self, request: bytes) -> bytes:
        _, start, count, _ = struct.unpack(">BHHB", request[:6])
        for at in range(count):
            self.coils[start + at] = bool(request[6 + at // 8] >> at % 8 & 1)
        return request[1:5]

    def _register(self, request: bytes) -> bytes:
        _, at, value = struct.unpack(">BHH", request)
        self._set(at, value)
        return request[1:]

    def _registers(self, request: bytes) -> bytes:
        _, start, count, _ = struct.unpack(">BHHB", request[:6])
        for at, value in enumerate(struct.unpack(f">{count}H", request[6:])):
            self._set(start + at, value)
        return request[1:5]

    def _mask(self, request: bytes) -> bytes:
        _, at, kept, new = struct.unpack(">BHHH", request)
        self._set(at, self.registers[at] & kept | new & ~kept & 0xFFFF)
        return request[1:]

    def _exchange(self, request: bytes) -> bytes:
        _, start, count, first, written, _ = struct.unpack(">BHHHHB", request[:10])
        for at, value in enumerate(struct.unpack(f">{written}H", request[10:])):
            self._set(first + at, value)
        return struct.pack(f">B{count}H", 2 * count, *(self.registers[start + at] for at in range(count)))

    def _set(self, at: int, value: int) -> None:
        if at not in self.registers:
            raise KeyError(at)
        self.registers[at] = value


Units = dict[int, Memory]
Speech = Callable[[bytes, Units], tuple[int, bytes]]
"""What has arrived to how much of it is used, and what is sent back."""


def tcp_speech(arrived: bytes, units: Units) -> tuple[int, bytes]:
    if len(arrived) < 8 or len(arrived) < 6 + int.from_bytes(arrived[4:6]):
        return 0, b""
    end = 6 + int.from_bytes(arrived[4:6])
    unit = arrived[6]
    answer = units[unit].answer(arrived[7:end]) if unit in units else bytes([arrived[7] | 0x80, 11])
    return end, arrived[:4] + (len(answer) + 1).to_bytes(2) + bytes([unit]) + answer


def rtu_speech(arrived: bytes, units: Units) -> tuple[int, bytes]:
    """Take what has arrived as one frame once its checksum holds; a unit that is not there stays silent."""
    if len(arrived) < 8 or bitwise_crc(arrived[:-2]) != arrived[-2:]:
        return 0, b""
    if arrived[0] not in units:
        return len(arrived), b""
    frame = arrived[:1] + units[arrived[0]].answer(arrived[1:-2])
    return len(arrived), frame + bitwise_crc(frame)


def ascii_speech(arrived: bytes, units: Units) -> tuple[int, bytes]:
    if not arrived.endswith(b"\r\n"):
        return 0, b""
    frame = bytes.fromhex(arrived[1:-2].decode())
    assert sum(frame) & 0xFF == 0, "the checksum of Modbus ASCII makes the sum of a frame zero"
    if frame[0] not in units:
        return len(arrived), b""
    answer = frame[:1] + units[frame[0]].answer(frame[1:-1])
    answer += bytes([-sum(answer) % 256])
    return len(arrived), b":" + answer.hex().upper().encode() + b"\r\n"


def bitwise_crc(frame: bytes) -> bytes:
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


@contextlib.asynccontextmanager
async def listening(port: int, units: Units, speech: Speech, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Answer on a TCP port until the block ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived = b""
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                arrived += data
                used, answer = speech(arrived, units)
                arrived = arrived[used:]
                writer.write(answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


class Terminal:
    """A pair of pseudo-terminals: the path of one end is a serial port, a peer answers at the other."""

    def __init__(self, units: Units, speech: Speech) -> None:
        self._units = units
        self._speech = speech
        self._arrived = b""
        self._ours, self._theirs = os.openpty()
        self.path = os.ttyname(self._theirs)
        self.before: bytes = b""
        """Noise that the line puts before every answer."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ours, self._read)

    def unplug(self) -> None:
        """Pull the adapter out."""
        self._loop.remove_reader(self._ours)
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self) -> None:
        self._arrived += os.read(self._ours, 4096)
        used, answer = self._speech(self._arrived, self._units)
        self._arrived = self._arrived[used:]
        if answer:
            os.write(self._ours, self.before + answer)


@contextlib.asynccontextmanager
async def terminal(units: Units, speech: Speech) -> AsyncIterator[Terminal]:
    """Answer on a serial line until the block ends."""
    line = Terminal(units, speech)
    try:
        yield line
    finally:
        line.unplug()
