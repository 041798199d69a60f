"""Listening sockets of simulators: found busy at once and said clearly, since the libraries retry in silence."""

from __future__ import annotations

import asyncio
import socket
from typing import ClassVar

from facility.errors import WatchkeeperError
from facility.model import Connection


class CannotListenError(WatchkeeperError):
    """A simulator cannot take the address of its connection; free the port or give the connection another one."""

    status: ClassVar[int] = 502
    title: ClassVar[str] = "Address not available"

    def __init__(self, connection: Connection, reason: str) -> None:
        super().__init__(
            f"The simulator of connection `{connection.id}` cannot listen at {connection.host}:{connection.port}: "
            f"{reason}. Stop the program that holds this address, or give the connection another port."
        )


async def claim(connection: Connection, kind: socket.SocketKind) -> tuple[str, int]:
    """Check that an address is free and return it resolved to IPv4.

    Args:
        connection: Whose host and port are to be listened at.
        kind: ``SOCK_STREAM`` for TCP, ``SOCK_DGRAM`` for UDP.

    Raises:
        CannotListenError: The host is unknown or not of this machine, or another program holds the port.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            connection.host, connection.port, family=socket.AF_INET, type=kind
        )
        address = str(found[0][4][0]), connection.port
        with socket.socket(socket.AF_INET, kind) as probe:
            # A TCP port whose last connections still linger is free; a UDP port that is shared is not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind is socket.SOCK_STREAM))
            probe.bind(address)
    except OSError as error:
        raise CannotListenError(connection, error.strerror or str(error)) from error
    return address
