"""Devices that answer BACnet/IP."""

from gateway.drivers.bacnet.driver import BacnetDriver

__all__ = ["BacnetDriver"]
