"""A small BACnet/IP device for driver tests, in the test's own event loop."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bacpypes3.apdu import (
    AbortPDU,
    AbortReason,
    AcknowledgeAlarmRequest,
    ConfirmedEventNotificationRequest,
    ReadPropertyMultipleRequest,
    SimpleAckPDU,
    SubscribeCOVRequest,
    TimeSynchronizationRequest,
    UnconfirmedEventNotificationRequest,
    UTCTimeSynchronizationRequest,
)
from bacpypes3.app import Application
from bacpypes3.basetypes import TimeStamp
from bacpypes3.errors import ExecutionError, UnrecognizedService
from bacpypes3.local.analog import AnalogInputObject, AnalogOutputObject
from bacpypes3.local.binary import BinaryInputObject, BinaryOutputObject
from bacpypes3.local.cov import GenericCriteria
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.multistate import MultiStateOutputObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.local.object import Object
from bacpypes3.object import LifeSafetyPointObject
from bacpypes3.pdu import Address

COMMON: Mapping[str, Any] = {
    "statusFlags": [0, 0, 0, 0],
    "eventState": "normal",
    "outOfService": False,
    "reliability": "noFaultDetected",
}
"""What every object starts with."""


class LifeSafetyPoint(Object, LifeSafetyPointObject):  # type: ignore[misc]  # bacpypes3 ships no types
    _cov_criteria = GenericCriteria


class MultiStateOutput(MultiStateOutputObject):  # type: ignore[misc]  # bacpypes3 ships no types
    _cov_criteria = GenericCriteria  # bacpypes3's own wants a COV increment, which a state does not have


class DeviceApplication(Application):  # type: ignore[misc]  # bacpypes3 ships no types
    takes_cov = True
    delay_s = 0.0
    """How long it thinks before it answers anything."""
    thinking = 0
    """Answers that it thinks about."""
    ignores_subscriptions = False
    has_multiple = True
    most_at_once = 1000
    """Objects of one ReadPropertyMultiple whose answer still fits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # passed through
        super().__init__(*args, **kwargs)
        self.acknowledged: list[AcknowledgeAlarmRequest] = []
        self.times: list[TimeSynchronizationRequest | UTCTimeSynchronizationRequest] = []

    async def response(self, apdu: Any) -> None:  # noqa: ANN401  # bacpypes3 ships no types
        self.thinking += 1
        await asyncio.sleep(self.delay_s)
        self.thinking -= 1
        await super().response(apdu)

    async def do_AcknowledgeAlarmRequest(self, apdu: AcknowledgeAlarmRequest) -> None:  # noqa: N802  # see below
        self.acknowledged.append(apdu)
        await self.response(SimpleAckPDU(context=apdu))

    async def do_TimeSynchronizationRequest(self, apdu: TimeSynchronizationRequest) -> None:  # noqa: N802  # see below
        self.times.append(apdu)

    async def do_UTCTimeSynchronizationRequest(self, apdu: UTCTimeSynchronizationRequest) -> None:  # noqa: N802
        self.times.append(apdu)

    async def do_SubscribeCOVRequest(self, apdu: SubscribeCOVRequest) -> None:  # noqa: N802  # bacpypes3 finds it by name
        if self.ignores_subscriptions:
            return
        if not self.takes_cov:
            raise ExecutionError(errorClass="services", errorCode="covSubscriptionFailed")
        await super().do_SubscribeCOVRequest(apdu)

    async def do_ReadPropertyMultipleRequest(self, apdu: ReadPropertyMultipleRequest) -> None:  # noqa: N802  # see above
        if not self.has_multiple:
            raise UnrecognizedService("no such service")
        if len(apdu.listOfReadAccessSpecs) > self.most_at_once:
            # By hand: the abort that bacpypes3 makes of an exception lacks the mark that a server sent it.
            await self.response(AbortPDU(srv=True, reason=AbortReason.segmentationNotSupported, context=apdu))
            return
        await super().do_ReadPropertyMultipleRequest(apdu)


def analog_input(number: int) -> Any:  # noqa: ANN401  # bacpypes3 ships no types
    return AnalogInputObject(
        **COMMON,
        objectIdentifier=("analog-input", number),
        objectName=f"analog-{number}",
        presentValue=float(number),
        units="noUnits",
        covIncrement=0.5,
    )


def ip_port(port: int, address: str = "127.0.0.1", **more: Any) -> NetworkPortObject:  # noqa: ANN401  # no types
    return NetworkPortObject(
        f"{address}:{port}",
        objectIdentifier=("network-port", 1),
        objectName="port",
        **{"networkNumber": 0, "networkNumberQuality": "unknown"} | more,
    )


class FieldDevice:
    """A detector and many more analog inputs; it can be taken away, come back and forget its subscribers."""

    def __init__(
        self,
        port: int,
        *,
        analogs: int = 1,
        most_at_once: int = 1000,
        takes_cov: bool = True,
        has_multiple: bool = True,
        instance: int = 2001,
        segmentation: str = "segmentedBoth",
        max_apdu: int = 1476,
        network_port: Callable[[], NetworkPortObject] | None = None,
    ) -> None:
        """Boot a device on a UDP port of loopback, or where ``network_port`` says."""
        self.port = port
        self.instance = instance
        self._segmentation = segmentation
        self._max_apdu = max_apdu
        self._network_port = network_port or functools.partial(ip_port, port)
        self._analogs = analogs
        self._most_at_once = most_at_once
        self._takes_cov = takes_cov
        self._has_multiple = has_multiple
        self._app: Any = None
        self.start()

    def start(self) -> None:
        """Boot with everything as it was built: quiet, and without subscribers."""
        self._app = DeviceApplication.from_object_list([*self._infrastructure(), *self._objects()])
        self._app.takes_cov = self._takes_cov
        self._app.has_multiple = self._has_multiple
        self._app.most_at_once = self._most_at_once

    def stop(self) -> None:
        """Leave the network."""
        for detection in list(self._app._cov_detections.values()):
            for subscription in list(detection.cov_subscriptions):
                subscription.cancel_subscription()
        self._app.close()

    def forget_subscribers(self) -> None:
        """Lose all subscriptions, as a restart does, with everything else as it was."""
        for detection in list(self._app._cov_detections.values()):
            for subscription in list(detection.cov_subscriptions):
                self._app.cancel_subscription(subscription)

    def allow_at_once(self, objects: int) -> None:
        """Answer requests for more objects from now on."""
        self._app.most_at_once = objects

    def ignore_subscriptions(self, *, ignored: bool) -> None:
        """Answer no subscription from now on, or answer again."""
        self._app.ignores_subscriptions = ignored

    def say_hello(self, to_port: int) -> None:
        """Introduce itself unasked, as a device does that has just started."""
        self._app.i_am(Address(f"127.0.0.1:{to_port}"))

    def answer_after(self, seconds: float) -> None:
        """Think so long before each answer from now on."""
        self._app.delay_s = seconds

    def add_analog(self, number: int) -> None:
        """Let an engineer add an analog input to the panel's program."""
        self._app.add_object(analog_input(number))

    async def report_event(self, to_port: int, kind: str, instance: int, *, confirmed: bool) -> None:
        """Send an event notification of an object, which wants to be acknowledged, and take the word for it."""
        request_type = ConfirmedEventNotificationRequest if confirmed else UnconfirmedEventNotificationRequest
        request = request_type(
            processIdentifier=7,
            initiatingDeviceIdentifier=("device", self.instance),
            eventObjectIdentifier=(kind, instance),
            timeStamp=TimeStamp(sequenceNumber=41),
            notificationClass=1,
            priority=10,
            eventType="changeOfLifeSafety",
            messageText="smoke",
            notifyType="alarm",
            ackRequired=True,
            fromState="normal",
            toState="lifeSafetyAlarm",
            destination=Address(f"127.0.0.1:{to_port}"),
        )
        await self._app.request(request)

    @property
    def thinking(self) -> int:
        """How many answers are still to come."""
        return int(self._app.thinking)

    @property
    def acknowledged(self) -> list[AcknowledgeAlarmRequest]:
        return list(self._app.acknowledged)

    @property
    def times(self) -> list[TimeSynchronizationRequest | UTCTimeSynchronizationRequest]:
        return list(self._app.times)

    @property
    def subscriptions(self) -> int:
        return sum(len(detection.cov_subscriptions) for detection in self._app._cov_detections.values())

    @property
    def confirmed_subscriptions(self) -> int:
        return sum(
            bool(subscription.confirmed)
            for detection in self._app._cov_detections.values()
            for subscription in detection.cov_subscriptions
        )

    @property
    def unconfirmed_reports(self) -> int:
        """How many confirmed requests of its own nobody has answered yet."""
        return sum(len(waiting) for waiting in self._app._requests.values())

    def object(self, kind: str, instance: int) -> Any:  # noqa: ANN401  # bacpypes3 ships no types
        return next(item for item in self._app.iter_objects() if str(item.objectIdentifier) == f"{kind},{instance}")

    def _infrastructure(self) -> Sequence[Any]:
        device = DeviceObject(
            objectIdentifier=("device", self.instance),
            objectName=f"panel-{self.instance}",
            vendorIdentifier=999,
            maxApduLengthAccepted=self._max_apdu,
            segmentationSupported=self._segmentation,
        )
        return [device, self._network_port()]

    def _objects(self) -> Sequence[Any]:
        analogs = [analog_input(number) for number in range(1, self._analogs + 1)]
        contact = BinaryInputObject(
            **COMMON,
            objectIdentifier=("binary-input", 1),
            objectName="contact",
            presentValue="inactive",
            polarity="normal",
        )
        detector = LifeSafetyPoint(
            **COMMON,
            objectIdentifier=("life-safety-point", 101),
            objectName="detector",
            presentValue="quiet",
            trackingValue="quiet",
            mode="on",
            acceptedModes=["on"],
            silenced="unsilenced",
            operationExpected="none",
        )
        setpoint = AnalogOutputObject(
            **COMMON,
            objectIdentifier=("analog-output", 1),
            objectName="setpoint",
            presentValue=20.0,
            relinquishDefault=20.0,
            units="degreesCelsius",
            covIncrement=0.1,
        )
        damper = BinaryOutputObject(
            **COMMON,
            objectIdentifier=("binary-output", 1),
            objectName="damper",
            presentValue="inactive",
            relinquishDefault="inactive",
            polarity="normal",
        )
        mode = MultiStateOutput(
            **COMMON,
            objectIdentifier=("multi-state-output", 1),
            objectName="mode",
            presentValue=1,
            relinquishDefault=1,
            numberOfStates=3,
        )
        return [*analogs, contact, detector, setpoint, damper, mode]


async def serve(port: int) -> None:
    """Be a device in a process of its own: obey lines such as ``life-safety-point 101 alarm`` until the input ends."""
    panel = FieldDevice(port)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        kind, instance, value = line.split()
        panel.object(kind, int(instance)).presentValue = value
    panel.stop()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
