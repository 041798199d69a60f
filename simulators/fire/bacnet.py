"""BACnet objects of a fire panel, and the application that serves them.

bacpypes3 has no local life-safety objects, its COV criteria report status flags as they were at subscription, and one
subscriber that is gone can fill the invoke ids and hang the loop; this module adds what a panel needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

import structlog
from bacpypes3.apdu import ErrorRejectAbortNack
from bacpypes3.app import Application
from bacpypes3.basetypes import StatusFlags
from bacpypes3.errors import ExecutionError
from bacpypes3.local.analog import AnalogInputObject
from bacpypes3.local.binary import BinaryInputObject
from bacpypes3.local.cov import COVDetection, COVIncrementCriteria
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.multistate import MultiStateInputObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.local.object import Object
from bacpypes3.object import LifeSafetyPointObject, LifeSafetyZoneObject

from facility.model import Connection
from simulators.listening import CannotListenError, claim

log = structlog.get_logger(__name__)

VENDOR = 999
DEFAULT_DEVICE_INSTANCE = 2001
OPEN_POLL_S = 0.005
OPEN_TIMEOUT_S = 1.0
MAX_OUTSTANDING = 128
"""Confirmed notifications that one subscriber may leave unanswered; bacpypes3 hangs for ever at 257."""


class _LiveStatusFlags:
    """Reports the status flags as they are when the notification is sent."""

    obj: Any

    @property
    def statusFlags(self) -> StatusFlags:  # noqa: N802  # BACnet's name
        return self.obj.statusFlags


class ChangeCriteria(_LiveStatusFlags, COVDetection):  # type: ignore[misc]  # bacpypes3 ships no types
    """Notify each change of the present value or of what the status flags are made of (Table 13-1 of ASHRAE 135)."""

    properties_tracked = ("presentValue", "eventState", "reliability", "outOfService")
    properties_reported = ("presentValue", "statusFlags")
    monitored_property_reference = "presentValue"


class IncrementCriteria(_LiveStatusFlags, COVIncrementCriteria):  # type: ignore[misc]  # bacpypes3 ships no types
    """As ``ChangeCriteria``, but the present value has to move by the object's COV increment."""

    properties_tracked = (*ChangeCriteria.properties_tracked, "covIncrement")


class AnalogInput(AnalogInputObject):  # type: ignore[misc]  # bacpypes3 ships no types
    """A measured quantity."""

    _cov_criteria = IncrementCriteria


class BinaryInput(BinaryInputObject):  # type: ignore[misc]  # bacpypes3 ships no types
    """A contact."""

    _cov_criteria = ChangeCriteria


class MultiStateInput(MultiStateInputObject):  # type: ignore[misc]  # bacpypes3 ships no types
    """A state counted from 1."""

    _cov_criteria = ChangeCriteria


class LifeSafetyPoint(Object, LifeSafetyPointObject):  # type: ignore[misc]  # bacpypes3 ships no types
    """A detector as the panel sees it."""

    _cov_criteria = ChangeCriteria


class LifeSafetyZone(Object, LifeSafetyZoneObject):  # type: ignore[misc]  # bacpypes3 ships no types
    """Several detectors as one."""

    _cov_criteria = ChangeCriteria


class PanelApplication(Application):  # type: ignore[misc]  # bacpypes3 ships no types
    """A BACnet application whose objects can be read and subscribed to, never written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # passed through
        super().__init__(*args, **kwargs)
        self._outstanding: Counter[Any] = Counter()
        """Confirmed notifications under way, by the subscriber's address."""
        self._deaf: set[Any] = set()
        """Subscribers whose notifications get no answer, so that the log says it once."""

    async def do_WritePropertyRequest(self, apdu: Any) -> None:  # noqa: ANN401, ARG002, N802  # bacpypes3's own form
        """Refuse: nobody operates a fire panel over the network."""
        raise ExecutionError(errorClass="property", errorCode="writeAccessDenied")

    def cov_notification(self, cov: Any, apdu: Any) -> None:  # noqa: ANN401  # bacpypes3 ships no types
        """Send a notification unless the subscriber leaves too many unanswered."""
        subscriber = cov.client_addr
        if not cov.confirmed:
            super().cov_notification(cov, apdu)
        elif self._outstanding[subscriber] < MAX_OUTSTANDING:
            self._outstanding[subscriber] += 1
            super().cov_notification(cov, apdu)

    def cov_confirmation(self, cov: Any, future: asyncio.Future[Any]) -> None:  # noqa: ANN401  # bacpypes3's form
        """Take the answer to a confirmed notification; a lost subscriber is said once, and once when it is back."""
        subscriber = cov.client_addr
        self._outstanding[subscriber] -= 1
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, ErrorRejectAbortNack) and subscriber not in self._deaf:
            self._deaf.add(subscriber)
            log.warning("a subscriber does not confirm; it misses changes", subscriber=str(subscriber), why=str(error))
        if error is None and subscriber in self._deaf:
            self._deaf.discard(subscriber)
            log.info("the subscriber confirms again", subscriber=str(subscriber))

    async def opened(self) -> bool:
        """Wait until the socket is bound, and return whether it is in time; bacpypes3 itself would try for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                while not self._is_open():  # noqa: ASYNC110  # bacpypes3 has no event for it
                    await asyncio.sleep(OPEN_POLL_S)
        return self._is_open()

    def _is_open(self) -> bool:
        return all(link.server.local_transport is not None for link in self.link_layers.values())

    def close(self) -> None:
        """End every subscription and every request under way, with their timers, and close the socket."""
        for transaction in (*self.asap.clientTransactions, *self.asap.serverTransactions):
            transaction.stop_timer()
        for detection in list(self._cov_detections.values()):
            for cov in list(detection.cov_subscriptions):
                self.cancel_subscription(cov)
        super().close()


@contextlib.asynccontextmanager
async def serving(connection: Connection, name: str, objects: Iterable[Object]) -> AsyncIterator[None]:
    """Serve objects as one device at the connection's address until the block ends.

    Args:
        connection: Host, UDP port and, in ``options``, ``device_instance``.
        name: The device's object name.
        objects: What it holds besides the device and its network port.

    Raises:
        CannotListenError: The address cannot be had.
    """
    host, port = await claim(connection, socket.SOCK_DGRAM)
    device = _device(int(connection.options.get("device_instance", DEFAULT_DEVICE_INSTANCE)), name)
    network_port = NetworkPortObject(
        f"{host}:{port}",
        objectIdentifier=("network-port", 1),
        objectName=f"{name} network port",
        networkNumber=0,
        networkNumberQuality="unknown",
    )
    application = PanelApplication.from_object_list([device, network_port, *objects])
    try:
        if not await application.opened():
            raise CannotListenError(connection, "another program took it just now")
        yield
    finally:
        # Cancelled while it opens, it has no socket to close yet; the next moment it has, and nobody would close that.
        await application.opened()
        application.close()
        await asyncio.sleep(0)  # lets what was cancelled end


def _device(instance: int, name: str) -> DeviceObject:
    return DeviceObject(
        objectIdentifier=("device", instance),
        objectName=name,
        modelName="simulated fire panel",
        vendorName="Watchkeeper",
        vendorIdentifier=VENDOR,
        maxApduLengthAccepted=1476,
        segmentationSupported="segmentedBoth",
        maxSegmentsAccepted=64,
        apduTimeout=1000,
        numberOfApduRetries=1,
    )
