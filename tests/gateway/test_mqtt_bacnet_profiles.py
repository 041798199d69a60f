"""The shipped MQTT and BACnet profiles against the shipped equipment classes."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pytest

from facility.class_files import load_classes
from facility.clock import SystemClock
from facility.definition import LocalText
from facility.model import Asset, Connection, Facility, Point, Protocol
from gateway.drivers.bacnet import BacnetDriver
from gateway.drivers.driver import DriverConfig
from gateway.drivers.mqtt import MqttDriver
from gateway.profiles import driver_configs, load_profiles
from tests.gateway.driver_site import Collector

TEXT = LocalText(en="x", zh="x")

MQTT = {"lift-mqtt": "lift", "door-mqtt": "door", "lift-door-replay": "lift-door"}
BACNET = {
    "fire-panel-bacnet": "fire-panel",
    "smoke-detector-bacnet": "smoke-detector",
    "manual-call-point-bacnet": "manual-call-point",
}


classes = functools.cache(load_classes)
profiles = functools.cache(load_profiles)


def config_of(profile: str, class_name: str, protocol: Protocol, address: Mapping[str, object]) -> DriverConfig:
    equipment = classes()[class_name]
    asset = Asset(
        id="asset",
        name=TEXT,
        equipment_class=equipment,
        space_id="room",
        connection_id="line",
        profile=profile,
        address=address,
    )
    facility = Facility(
        site_id="site",
        name=TEXT,
        time_zone="UTC",
        spaces={},
        connections={"line": Connection(id="line", protocol=protocol, host="127.0.0.1", port=1)},
        assets={"asset": asset},
        points={
            key: Point(key=key, asset_id="asset", name=name, definition=definition)
            for key, (name, definition) in enumerate(equipment.points.items(), start=1)
        },
        rules={},
    )
    (config,) = driver_configs(facility, profiles(), clock=SystemClock(), deliver=Collector())
    return config


@pytest.mark.parametrize("profile", MQTT)
def test_a_shipped_mqtt_profile_maps_every_point_of_its_class(profile: str) -> None:
    config = config_of(profile, MQTT[profile], Protocol.MQTT, {"root": "harbour/one"})
    assert {point.name for point in config.devices[0].points} == set(config.devices[0].asset.equipment_class.points)
    assert all(mapping["topic"].startswith("harbour/one/") for mapping in config.devices[0].mapping.values())
    MqttDriver(config)


@pytest.mark.parametrize("profile", BACNET)
def test_a_shipped_bacnet_profile_maps_every_point_of_its_class(profile: str) -> None:
    config = config_of(profile, BACNET[profile], Protocol.BACNET_IP, {"instance": 101})
    assert {point.name for point in config.devices[0].points} == set(config.devices[0].asset.equipment_class.points)
    BacnetDriver(config)


def test_a_detectors_heat_stands_a_thousand_objects_further() -> None:
    config = config_of("smoke-detector-bacnet", "smoke-detector", Protocol.BACNET_IP, {"instance": 203})
    assert config.devices[0].mapping["heat"]["object"] == "analog-input,1203"
