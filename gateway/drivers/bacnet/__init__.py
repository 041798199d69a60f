"""Devices that answer BACnet/IP.

The driver is :class:`BacnetDriver`. Whoever only looks around, such as discovery, uses the layers below it::

    at = await resolve("10.0.3.7", 47808)
    async with open_station(at, LocalSide()) as station:  # our own UDP port; LocalSide(bbmd=…) registers
        for found in await station.find(at, wait_s=1.0):           # Who-Is to an address; None instead: to everybody
            peer = Peer(station, found.address, timeout_s=1.0, max_apdu=found.device.max_apdu)
            objects = await peer.object_list(found.device.instance)             # by index where it does not fit
            refs = [PropertyRef("object-name"), PropertyRef("description"), PropertyRef("units")]
            names = await BatchReader(refs).read(peer, objects)    # as many at once as the device can stand
            units = await peer.read_property(objects[0], PropertyRef("units"))  # one property: a list of its values

``names[object][ref]`` is a list of values or a :class:`Refusal`; ``names[object]`` is ``None`` where no answer came.
Enumerated values become names with :func:`~gateway.drivers.bacnet.names.enumerated_name`. A broadcast
(``open_station(Address("255.255.255.255", 47808), LocalSide(port=47808))``, ``station.find(None, wait_s=3)``) hears
also devices that answer to their whole subnet. Errors are those of :mod:`gateway.drivers.bacnet.station`.
"""

from gateway.drivers.bacnet.driver import BacnetDriver

__all__ = ["BacnetDriver"]
