"""Small sites made of values, for tests that need assets on a wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facility.definition import LocalText
from facility.equipment import EquipmentClass, System
from facility.model import Asset, Connection, Protocol, SiteDescription

SYSTEM_OF = {"lift": System.LIFT, "door": System.ACCESS, "pump": System.PUMP, "fire-panel": System.FIRE}


def mqtt_connection(port: int, **options: Any) -> Connection:  # noqa: ANN401  # options are any values
    """Return a connection to a broker on loopback."""
    return Connection(id="broker", protocol=Protocol.MQTT, host="127.0.0.1", port=port, options=options)


def asset(asset_id: str, class_name: str, **address: Any) -> Asset:  # noqa: ANN401  # addresses are any values
    """Return an asset on the connection ``broker``."""
    system = SYSTEM_OF.get(class_name, System.PUMP)
    name = LocalText(en=asset_id, zh=asset_id)
    equipment = EquipmentClass(name=class_name, title=name, system=system, points={})
    return Asset(
        id=asset_id,
        name=name,
        equipment_class=equipment,
        space_id="tower",
        connection_id="broker",
        profile=f"{class_name}-mqtt",
        address=address,
    )


def site(connection: Connection, assets: Sequence[Asset]) -> SiteDescription:
    """Return a site of one connection."""
    return SiteDescription(
        site_id="small",
        name=LocalText(en="Small", zh="小"),
        time_zone="Asia/Shanghai",
        spaces={},
        connections={connection.id: connection},
        assets={member.id: member for member in assets},
        rules={},
    )
