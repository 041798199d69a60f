"""What a Modbus connection may say under ``options``: the transport, and what belongs to it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from facility.definition import Definition


class ModbusTransport(StrEnum):
    """What carries a Modbus line."""

    TCP = "tcp"
    TLS = "tls"
    """Modbus/TCP Security; its usual port is 802."""
    RTU_TCP = "rtu-tcp"
    """RTU frames over TCP, as a terminal server passes them on."""
    RTU = "rtu"
    """RTU frames on a serial line."""
    ASCII = "ascii"
    """ASCII frames on a serial line."""


SERIAL_TRANSPORTS = frozenset({ModbusTransport.RTU, ModbusTransport.ASCII})
"""They open a serial port of this machine; host and port stay away."""


class ModbusOptions(Definition):
    """A Modbus line's."""

    transport: ModbusTransport = ModbusTransport.TCP
    timeout_s: float = Field(default=1.0, gt=0.0)
    """Wall seconds to wait for a connection or an answer; on serial lines the time on the wire comes on top."""
    pause_ms: float = Field(default=0.0, ge=0.0, le=60_000.0)
    """Wall milliseconds of silence between an answer and the next request to anyone on the line."""
    serial: str | None = None
    """Path of the serial port, such as ``/dev/ttyUSB0``."""
    baudrate: int = Field(default=19_200, ge=50, le=4_000_000)
    parity: Literal["none", "even", "odd"] = "even"
    stopbits: int = Field(default=1, ge=1, le=2)
    bytesize: int | None = Field(default=None, ge=7, le=8)
    """Bits in a character; ``None``: 8 for RTU and 7 for ASCII, as the specification says."""
    ca_file: str | None = None
    """PEM file of the authorities that may have signed the device's certificate."""
    certificate_file: str | None = None
    """PEM file of our own certificate, where the device wants one."""
    key_file: str | None = None
    """PEM file of its key; ``None``: it stands in ``certificate_file``."""
    server_name: str | None = None
    """Name that the device's certificate must bear; ``None``: the host."""

    @model_validator(mode="after")
    def _fits_its_transport(self) -> Self:
        if self.transport in SERIAL_TRANSPORTS and not self.serial:
            raise ValueError(f"transport {self.transport} needs the port: write serial: /dev/ttyUSB0 or the like")
        if self.transport is ModbusTransport.TLS and not self.ca_file:
            raise ValueError("transport tls needs ca_file: the PEM file of who signed the device's certificate")
        if self.key_file and not self.certificate_file:
            raise ValueError("key_file belongs to a certificate; write certificate_file too")
        self._refuse_what_means_nothing()
        return self

    def _refuse_what_means_nothing(self) -> None:
        """Name an option that another transport has; whoever wrote it believes that it works.

        Raises:
            ValueError: There is one.
        """
        for names, transports in _OPTIONS_OF.items():
            unfit = sorted(names & self.model_fields_set)
            if unfit and self.transport not in transports:
                fitting = " or ".join(sorted(transports))
                raise ValueError(f"{unfit[0]!r} means nothing with transport {self.transport}; write {fitting} there")


_OPTIONS_OF = {
    frozenset({"serial", "baudrate", "parity", "stopbits", "bytesize"}): SERIAL_TRANSPORTS,
    frozenset({"ca_file", "certificate_file", "key_file", "server_name"}): frozenset({ModbusTransport.TLS}),
}
"""Options that only some transports have."""
