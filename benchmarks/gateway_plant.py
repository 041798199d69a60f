"""The facility of the gateway's benchmark: meters on Modbus, panels on BACnet, sensors on MQTT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from facility.clock import SystemClock
from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointDefinition, PointKind, System
from facility.model import Asset, Connection, Facility, Point, Protocol
from gateway.drivers.driver import DriverConfig
from gateway.events import Delivery
from gateway.profiles import DeviceProfile, driver_configs

HOST: Final = "127.0.0.1"
TEXT: Final = LocalText(en="A value", zh="一个值")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much of each protocol."""

    modbus_connections: int = 300
    registers: int = 125
    """On each Modbus connection, each a point."""
    modbus_period_s: float = 1.0
    bacnet_devices: int = 10
    bacnet_objects: int = 150
    """On each device, each a point."""
    bacnet_period_s: float = 10.0
    mqtt_devices: int = 200
    mqtt_topics: int = 5
    """Of each device, each a point."""
    mqtt_rate: float = 1000.0
    """Messages a second over all topics."""


@dataclass(slots=True)
class Plant:
    """A facility in the making: connections, devices and their keys."""

    load: Load
    connections: dict[str, Connection] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    points: dict[int, Point] = field(default_factory=dict)
    profiles: dict[str, DeviceProfile] = field(default_factory=dict)

    @property
    def topics(self) -> list[str]:
        """Return every topic that a device publishes to, in the order of the points' keys."""
        load = self.load
        return [f"plant/{device}/{topic}" for device in range(load.mqtt_devices) for topic in range(load.mqtt_topics)]

    def keys_of(self, protocol: Protocol) -> range:
        """Return the keys of all points that come over a protocol; they follow each other."""
        connections = {each.id for each in self.connections.values() if each.protocol is protocol}
        keys = [key for key, point in self.points.items() if self.assets[point.asset_id].connection_id in connections]
        return range(keys[0], keys[-1] + 1)

    def configs(self, deliver: Callable[[Delivery], None]) -> list[DriverConfig]:
        """Return what the gateway's drivers need."""
        facility = Facility(
            site_id="bench",
            name=TEXT,
            time_zone="UTC",
            spaces={},
            connections=self.connections,
            assets=self.assets,
            points=self.points,
            rules={},
        )
        return driver_configs(facility, self.profiles, clock=SystemClock(), deliver=deliver)

    def add_profile(
        self, name: str, protocol: Protocol, settings: dict[str, Any], points: dict[str, dict[str, Any]]
    ) -> EquipmentClass:
        """Add a make of devices, and return its class."""
        self.profiles[name] = DeviceProfile.model_validate(
            {"profile": name, "class": name, "protocol": protocol, "settings": settings, "points": points}
        )
        definition = PointDefinition(kind=PointKind.ANALOG, name=TEXT)
        return EquipmentClass(name=name, title=TEXT, system=System.PUMP, points=dict.fromkeys(points, definition))

    def add_device(self, name: str, equipment: EquipmentClass, connection_id: str, **address: object) -> None:
        """Add one device with all points of its class."""
        self.assets[name] = Asset(
            id=name,
            name=TEXT,
            equipment_class=equipment,
            space_id="hall",
            connection_id=connection_id,
            profile=equipment.name,
            address=address,
        )
        for point, definition in equipment.points.items():
            key = len(self.points) + 1
            self.points[key] = Point(key=key, asset_id=name, name=point, definition=definition)

    def connect(self, name: str, protocol: Protocol, port: int, **options: object) -> str:
        """Add a connection to a port of this machine, and return its name."""
        self.connections[name] = Connection(id=name, protocol=protocol, host=HOST, port=port, options=options)
        return name


def plant(load: Load, *, modbus_ports: Sequence[int], bacnet_ports: Sequence[int], broker_port: int) -> Plant:
    """Return the benchmark's facility."""
    made = Plant(load)
    _add_modbus(made, modbus_ports)
    _add_bacnet(made, bacnet_ports)
    _add_mqtt(made, broker_port)
    return made


def _add_modbus(made: Plant, ports: Sequence[int]) -> None:
    load = made.load
    meter = made.add_profile(
        "meter",
        Protocol.MODBUS,
        {"unit": "{unit}", "poll_s": load.modbus_period_s, "max_registers": load.registers},
        {f"r{register}": {"register": register, "scale": 0.1} for register in range(load.registers)},
    )
    for place, port in enumerate(ports):
        made.add_device(f"meter-{place}", meter, made.connect(f"modbus-{place}", Protocol.MODBUS, port), unit=1)


def _add_bacnet(made: Plant, ports: Sequence[int]) -> None:
    load = made.load
    panel = made.add_profile(
        "panel",
        Protocol.BACNET_IP,
        {"poll_s": load.bacnet_period_s, "reconcile_s": load.bacnet_period_s},
        {f"input-{number}": {"object": f"analog-input,{number}"} for number in range(1, load.bacnet_objects + 1)},
    )
    for place, port in enumerate(ports):
        made.add_device(f"panel-{place}", panel, made.connect(f"bacnet-{place}", Protocol.BACNET_IP, port))


def _add_mqtt(made: Plant, port: int) -> None:
    load = made.load
    sensor = made.add_profile(
        "sensor",
        Protocol.MQTT,
        {},
        {f"value-{topic}": {"topic": f"{{root}}/{topic}", "path": "value"} for topic in range(load.mqtt_topics)},
    )
    broker = made.connect("broker", Protocol.MQTT, port)
    for device in range(load.mqtt_devices):
        made.add_device(f"sensor-{device}", sensor, broker, root=f"plant/{device}")
