"""A BACnet client as any building would have one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from bacpypes3.apdu import SubscribeCOVRequest
from bacpypes3.app import Application
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.pdu import Address
from bacpypes3.primitivedata import ObjectIdentifier

ANSWER_TIMEOUT_S = 60.0


class Workstation:
    """A client with one peer."""

    def __init__(self, application: Application, peer: Address) -> None:
        self.application = application
        self.peer = peer

    async def read(self, item: str, name: str) -> Any:  # noqa: ANN401  # bacpypes3 ships no types
        """Read one property."""
        return await self.application.read_property(self.peer, ObjectIdentifier(item), name)

    async def text(self, item: str, name: str = "present-value") -> str:
        """Read one property as BACnet spells it."""
        return str(await self.read(item, name))

    async def subscribe_and_forget(self, item: str) -> None:
        """Subscribe to confirmed notifications that nobody will confirm."""
        request = SubscribeCOVRequest(
            subscriberProcessIdentifier=99,
            monitoredObjectIdentifier=ObjectIdentifier(item),
            issueConfirmedNotifications=True,
            lifetime=60,
            destination=self.peer,
        )
        await self.application.request(request)

    @contextlib.asynccontextmanager
    async def changes(self, item: str, *, confirmed: bool) -> AsyncIterator[Changes]:
        """Subscribe until the block ends."""
        subscription = self.application.change_of_value(self.peer, ObjectIdentifier(item), None, confirmed, 60)
        async with subscription:
            yield Changes(subscription)


class Changes:
    """Notifications of one object."""

    def __init__(self, subscription: Any) -> None:  # noqa: ANN401  # bacpypes3 ships no types
        self._subscription = subscription

    async def next(self) -> tuple[str, str]:
        """Return the next notification's present value and status flags."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            _, value = await self._subscription.get_value()
            _, flags = await self._subscription.get_value()
        return str(value), str(flags)

    async def until(self, value: str) -> str:
        """Wait for a present value and return the status flags that came with it."""
        while True:
            shown, flags = await self.next()
            if shown == value:
                return flags


@contextlib.asynccontextmanager
async def workstation(port: int, own_port: int) -> AsyncIterator[Workstation]:
    """Open a client and wait until its peer answers Who-Is."""
    device = DeviceObject(
        objectIdentifier=("device", 9),
        objectName="workstation",
        vendorIdentifier=999,
        maxApduLengthAccepted=1476,
        segmentationSupported="segmentedBoth",
        maxSegmentsAccepted=64,
    )
    network_port = NetworkPortObject(
        f"127.0.0.1:{own_port}",
        objectIdentifier=("network-port", 1),
        objectName="port",
        networkNumber=0,
        networkNumberQuality="unknown",
    )
    application = Application.from_object_list([device, network_port])
    peer = Address(f"127.0.0.1:{port}")
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while not await application.who_is(address=peer, timeout=0.2):
                pass
        yield Workstation(application, peer)
    finally:
        application.close()
        await asyncio.sleep(0)
