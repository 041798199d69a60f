"""A serial port as an asyncio transport, and the times that a serial line takes."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import serial  # type: ignore[import-untyped]  # pyserial comes without types

from facility.modbus_options import ModbusOptions, ModbusTransport

READ_BYTES: Final = 4096
BITS_PER_CHARACTER: Final = 11
"""Start, eight data, parity and stop, or two stop bits without parity (Serial Line V1.02, 2.5.1)."""
GAP_CHARACTERS: Final = 3.5
"""Silence between two RTU frames (Serial Line V1.02, 2.5.1.1)."""
SHORTEST_GAP_S: Final = 0.00175
"""The same, fixed above 19,200 baud."""
FIXED_GAP_ABOVE_BAUD: Final = 19_200

_PARITIES: Final = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class SerialPort(asyncio.WriteTransport):
    """An open serial port; reads and writes whenever the operating system says that it may."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, options: ModbusOptions) -> None:
        """Open the port for this process alone.

        Raises:
            OSError: It does not exist, is in use, or refuses the settings (``serial.SerialException``).
        """
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._unsent = bytearray()
        self._closed = False
        self._port = opened(options)
        self._descriptor: int = self._port.fileno()
        loop.add_reader(self._descriptor, self._read)
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send as much as the port takes now, and the rest when it takes more."""
        self._unsent += data
        self._send()

    def is_closing(self) -> bool:
        """Say whether the port is closed."""
        return self._closed

    def close(self) -> None:
        """Close the port at once."""
        self.abort()

    def abort(self) -> None:
        """Close the port at once; what is unsent stays so."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._port.close()

    def _send(self) -> None:
        try:
            sent = os.write(self._descriptor, self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(error)
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._descriptor, self._send)
        else:
            self._loop.remove_writer(self._descriptor)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:  # the adapter was pulled out
            self._lose(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._lose(None)

    def _lose(self, reason: OSError | None) -> None:
        if not self._closed:
            self.abort()
            self._protocol.connection_lost(reason)


def opened(options: ModbusOptions) -> serial.Serial:
    """Open the port that options name, for this process alone.

    Raises:
        OSError: It does not exist, is in use, or refuses the settings (``serial.SerialException``).
    """
    standard_size = serial.SEVENBITS if options.transport is ModbusTransport.ASCII else serial.EIGHTBITS
    try:
        return serial.Serial(
            options.serial,
            baudrate=options.baudrate,
            bytesize=options.bytesize or standard_size,
            parity=_PARITIES[options.parity],
            stopbits=options.stopbits,
            timeout=0,
            exclusive=True,
        )
    except ValueError as error:  # pyserial says so of settings that the adapter does not have
        raise OSError(str(error)) from error


def frame_gap_s(baudrate: int) -> float:
    """Return the silence that ends an RTU frame, in seconds."""
    if baudrate > FIXED_GAP_ABOVE_BAUD:
        return SHORTEST_GAP_S
    return GAP_CHARACTERS * BITS_PER_CHARACTER / baudrate


def transmission_s(characters: int, baudrate: int) -> float:
    """Return how long so many characters take on the wire, in seconds."""
    return characters * BITS_PER_CHARACTER / baudrate
