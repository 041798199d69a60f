"""A router with devices behind it, and a broadcast management device, for driver tests."""

from __future__ import annotations

import functools
from typing import Any

from bacpypes3.app import Application
from bacpypes3.basetypes import HostNPort, IPMode
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.vlan import VirtualNetwork

from tests.gateway.bacnet_device import FieldDevice, ip_port

BEHIND = 2
"""Number of the network behind the router."""


def _station(instance: int, *ports: NetworkPortObject) -> Any:  # noqa: ANN401  # bacpypes3 ships no types
    device = DeviceObject(objectIdentifier=("device", instance), objectName=f"station-{instance}", vendorIdentifier=999)
    return Application.from_object_list([device, *ports])


def _virtual_port(wire: str, mac: int, network: int) -> NetworkPortObject:
    return NetworkPortObject(
        objectIdentifier=("network-port", 2),
        objectName="port behind",
        networkType="virtual",
        protocolLevel="bacnet-application",
        networkInterfaceName=wire,
        macAddress=bytes([mac]),
        networkNumber=network,
        networkNumberQuality="configured" if network else "unknown",
    )


class RoutedSite:
    """One UDP port of loopback with a router, and devices on a network behind it."""

    def __init__(self, port: int, instances: tuple[int, ...]) -> None:
        self.port = port
        wire = f"wire-{port}"
        VirtualNetwork(wire)
        self._router = _station(
            9000,
            ip_port(port, networkNumber=1, networkNumberQuality="configured"),
            _virtual_port(wire, 1, BEHIND),
        )
        self.devices = {
            instance: FieldDevice(port, instance=instance, network_port=functools.partial(_virtual_port, wire, mac, 0))
            for mac, instance in enumerate(instances, start=10)
        }

    def stop(self) -> None:
        """Leave the network."""
        for device in self.devices.values():
            device.stop()
        self._router.close()


class ManagementDevice:
    """A BBMD that takes foreign devices."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._app: Any = None
        self.start()

    def start(self) -> None:
        """Boot with an empty table."""
        port = ip_port(self.port, "127.0.0.1/8", bacnetIPMode=IPMode.bbmd)
        port.bbmdAcceptFDRegistrations = True
        port.bbmdForeignDeviceTable = []
        port.bbmdBroadcastDistributionTable = []
        self._app = _station(9001, port)

    def stop(self) -> None:
        """Leave the network; nobody is told."""
        for link in self._app.link_layers.values():
            link._fdt_clock_handle.cancel()
        self._app.close()

    @property
    def guests(self) -> int:
        """How many foreign devices are registered."""
        return sum(len(link.bbmdFDT) for link in self._app.link_layers.values())

    def guest_port(self, port: int) -> NetworkPortObject:
        """Return the network port of a device that registers here."""
        guest = ip_port(port, bacnetIPMode=IPMode.foreign)
        guest.fdBBMDAddress = HostNPort(f"127.0.0.1:{self.port}")
        guest.fdSubscriptionLifetime = 60
        return guest
