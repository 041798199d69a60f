"""Opens and closes our own port, and keeps us registered with a broadcast management device."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

import structlog

from gateway.drivers.bacnet.frames import Address
from gateway.drivers.bacnet.station import LocalPortError, LocalSide, Station

log = structlog.get_logger(__name__)

REGISTRATION_RETRY_S: Final = 5.0
"""Wall seconds until a registration that was not taken is tried again."""


@contextlib.asynccontextmanager
async def open_station(towards: Address, local: LocalSide, *, timeout_s: float = 1.0) -> AsyncIterator[Station]:
    """Open a UDP port of our own until the block ends.

    Args:
        towards: Where the datagrams go; chooses which of our addresses they leave from. A broadcast address leaves the
            choice open, and hears what comes to any.
        local: How we appear.
        timeout_s: Wall seconds that the first registration with a broadcast management device may take.

    Raises:
        LocalPortError: Our port is taken.
        OSError: No network leads there.
    """
    loop = asyncio.get_running_loop()
    bound = _bound_socket(towards, local.port)
    transport, station = await loop.create_datagram_endpoint(lambda: Station(local), sock=bound)
    try:
        if local.bbmd is None:
            yield station
            return
        async with _registered(station, await resolve(*local.bbmd), local, timeout_s):
            yield station
    finally:
        transport.close()


async def resolve(host: str, port: int) -> Address:
    """Return the IPv4 address of a name; asked anew at every try, since names move.

    Raises:
        OSError: Nobody knows the name.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    address, found_port = found[0][4][:2]
    return Address(str(address), int(found_port))


@contextlib.asynccontextmanager
async def _registered(station: Station, bbmd: Address, local: LocalSide, timeout_s: float) -> AsyncIterator[None]:
    """Register before the block begins and go on until it ends; broadcasts come only while it holds."""
    is_registered = await station.register(bbmd, ttl_s=local.bbmd_ttl_s, timeout_s=timeout_s)
    if not is_registered:
        _log_lost(bbmd)
    keeper = asyncio.create_task(_keep_registered(station, bbmd, local, timeout_s, is_registered=is_registered))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _keep_registered(
    station: Station, bbmd: Address, local: LocalSide, timeout_s: float, *, is_registered: bool
) -> None:
    while True:
        await asyncio.sleep(local.bbmd_ttl_s / 2 if is_registered else REGISTRATION_RETRY_S)
        was, is_registered = (
            is_registered,
            await station.register(bbmd, ttl_s=local.bbmd_ttl_s, timeout_s=timeout_s),
        )
        if was and not is_registered:
            _log_lost(bbmd)
        elif is_registered and not was:
            log.info("BACnet broadcast management device took the registration", at=str(bbmd))


def _log_lost(bbmd: Address) -> None:
    log.warning(
        "BACnet broadcast management device does not take the registration; check its address and that it accepts "
        "foreign devices",
        at=str(bbmd),
    )


def _bound_socket(towards: Address, port: int) -> socket.socket:
    """Return a socket of our own; a port that is taken is an error at once and never shared.

    Raises:
        LocalPortError: The port is taken.
        OSError: No network leads there.
    """
    host = _own_host(towards)
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        message = f"UDP port {port} of {host} is taken; end what holds it or set another local_port"
        raise LocalPortError(message) from error
    return bound


def _own_host(towards: Address) -> str:
    """Return which of our addresses a datagram there leaves from; all of them for a broadcast."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            route.connect((towards.host, towards.port))
        except PermissionError:  # a broadcast address
            return "0.0.0.0"  # noqa: S104  # answers to a broadcast come to any of our addresses
        return str(route.getsockname()[0])
