"""Device profiles, and how a facility's assets become drivers' configurations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.class_files import load_classes
from facility.clock import VirtualClock
from facility.definition import LocalText
from facility.errors import ConfigurationError
from facility.model import Asset, Connection, Facility, Point, Protocol
from gateway.address import filled, parameters
from gateway.drivers.driver import DriverConfig
from gateway.drivers.modbus.driver import ModbusDriver
from gateway.profiles import DeviceProfile, driver_configs, load_profiles

NAME = LocalText(en="x", zh="x")
CLASSES = load_classes()
PUMPS = Connection(id="pumps", protocol=Protocol.MODBUS, host="127.0.0.1", port=502)
LIFTS = Connection(id="lifts", protocol=Protocol.MQTT, host="127.0.0.1", port=1883)


def asset(
    name: str, *, kind: str = "pump", connection: str = "pumps", profile: str = "pump-vfd-a", **address: object
) -> Asset:
    return Asset(
        id=name,
        name=NAME,
        equipment_class=CLASSES[kind],
        space_id="basement",
        connection_id=connection,
        profile=profile,
        address=address,
    )


def facility(assets: Iterable[Asset], connections: Iterable[Connection] = (PUMPS, LIFTS)) -> Facility:
    by_id = {each.id: each for each in assets}
    rows = [(each.id, name, point) for each in by_id.values() for name, point in each.equipment_class.points.items()]
    points = {
        key: Point(key=key, asset_id=owner, name=name, definition=point)
        for key, (owner, name, point) in enumerate(rows, start=1)
    }
    return Facility(
        site_id="harbour",
        name=NAME,
        time_zone="UTC",
        spaces={},
        connections={each.id: each for each in connections},
        assets=by_id,
        points=points,
        rules={},
    )


def configs(*assets: Asset, profiles: Mapping[str, DeviceProfile] | None = None) -> list[DriverConfig]:
    chosen = load_profiles() if profiles is None else profiles
    return driver_configs(facility(assets), chosen, clock=VirtualClock(), deliver=lambda _: None)


def complaints(*assets: Asset, profiles: Mapping[str, DeviceProfile] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        configs(*assets, profiles=profiles)
    return [mistake.message for mistake in caught.value.mistakes]


def written(folder: Path, name: str, text: str) -> dict[str, DeviceProfile]:
    (folder / f"{name}.yaml").write_text(text, "utf-8")
    return load_profiles(folder)


def test_every_shipped_profile_maps_points_that_its_class_has_and_can_convert() -> None:
    for name, profile in load_profiles().items():
        connection = Connection(id="line", protocol=profile.protocol, host="127.0.0.1", port=1)
        address = dict.fromkeys(parameters([profile.settings, profile.points]), 101)
        one = asset("one", kind=profile.equipment_class, connection="line", profile=name, **address)
        site = facility([one], [connection])
        config = driver_configs(site, {name: profile}, clock=VirtualClock(), deliver=lambda _: None)[0]
        assert {point.name for point in config.devices[0].points} == set(profile.points)


@pytest.mark.parametrize("name", ["pump-vfd-a", "pump-vfd-b", "bench-pump-replay"])
def test_every_shipped_modbus_profile_covers_its_whole_class_in_one_request(name: str) -> None:
    profile = load_profiles()[name]
    kind = profile.equipment_class
    assert set(profile.points) == set(CLASSES[kind].points)
    config = configs(asset("one", kind=kind, profile=name, unit=1))[0]
    (unit,) = ModbusDriver(config)._units
    assert len(unit.groups[0].layout.blocks) == 1


def test_assets_are_grouped_by_connection_with_their_addresses_filled_in() -> None:
    lift = asset("lift-1", kind="lift", connection="lifts", profile="lift-mqtt", root="harbour/lift-1")
    found = {
        config.connection.id: config
        for config in configs(asset("pump-1", unit=1), asset("pump-2", profile="pump-vfd-b", unit=2), lift)
    }
    assert [device.asset.id for device in found["pumps"].devices] == ["pump-1", "pump-2"]
    assert [device.settings["unit"] for device in found["pumps"].devices] == [1, 2]
    assert found["pumps"].status.connection_id == "pumps"
    topics = {mapping["topic"] for mapping in found["lifts"].devices[0].mapping.values()}
    assert "harbour/lift-1/motion" in topics


def test_a_connection_without_assets_opens_nothing() -> None:
    assert [config.connection.id for config in configs(asset("pump-1", unit=1))] == ["pumps"]


def test_all_mistakes_of_a_site_are_named_at_once_with_what_to_write() -> None:
    found = complaints(
        asset("pump-1", profile="pump-vdf-a", unit=1),
        asset("pump-2", connection="lifts", unit=2),
        asset("pump-3"),
        asset("lift-1", kind="lift", unit=9),
        asset("pump-4", connection="nowhere", unit=4),
        asset("pump-5", unit=5),
        asset("pump-6", unit=5),
    )
    assert found == [
        "lift-1: profile 'pump-vfd-a' is for class 'pump', but the asset is a 'lift'; choose another profile",
        "pump-1: no profile 'pump-vdf-a'; did you mean 'pump-vfd-a'?",
        "pump-2: profile 'pump-vfd-a' speaks modbus, but connection 'lifts' is mqtt; choose another one of the two",
        "pump-3: profile 'pump-vfd-a' needs unit under 'address'",
        "pump-4: no connection 'nowhere'; add it under 'connections'",
        "pump-6 has the same address as pump-5 (17 points); give each its own under 'address'",
    ]


def test_a_profiles_own_mistakes_carry_their_line_and_are_said_once_for_all_its_pumps(tmp_path: Path) -> None:
    text = (
        "profile: odd\nclass: pump\nprotocol: modbus\nsettings: {unit: '{unit}'}\n"
        "points:\n  flwo: {register: 0}\n  flow: {register: 1, unit: degC}\n"
    )
    profiles = written(tmp_path, "odd", text)
    with pytest.raises(ConfigurationError) as caught:
        configs(asset("pump-1", profile="odd", unit=1), asset("pump-2", profile="odd", unit=2), profiles=profiles)
    assert [(mistake.line, mistake.message.partition(";")[0]) for mistake in caught.value.mistakes] == [
        (6, "class 'pump' has no point 'flwo'"),
        (7, "flow: degC cannot become m**3/h: they measure different things. Check the unit on both sides."),
    ]


def test_two_detectors_of_one_panel_may_share_a_connection_but_not_an_instance() -> None:
    panel = Connection(id="fire", protocol=Protocol.BACNET_IP, host="127.0.0.1", port=47808)
    detectors = [
        asset(
            f"detector-{at}", kind="smoke-detector", connection="fire", profile="smoke-detector-bacnet", instance=number
        )
        for at, number in enumerate((101, 102, 102))
    ]
    site = facility(detectors, [panel])
    with pytest.raises(ConfigurationError, match="detector-2 has the same address as detector-1"):
        driver_configs(site, load_profiles(), clock=VirtualClock(), deliver=lambda _: None)


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        (
            "profile: odd\nclass: pump\nprotocol: modbuss\npoints: {flow: {register: 1}}\n",
            3,
            "did you mean 'modbus'",
        ),
        ("profile: even\nclass: pump\nprotocol: mqtt\npoints: {flow: {topic: a}}\n", 1, "write 'profile: odd'"),
        ("profile: odd\nclass: pump\nprotocol: mqtt\npoint: {flow: {topic: a}}\n", 4, "did you mean 'points'"),
        ("profile: odd\nclass: pump\n  protocol: mqtt\n", 3, "is not YAML"),
        ("- 1\n", 1, "wants entries below it"),
    ],
)
def test_a_profile_file_with_a_mistake_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        written(tmp_path, "odd", text)
    assert line in {mistake.line for mistake in caught.value.mistakes}


def test_the_mistakes_of_all_profile_files_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("profile: b\nclass: c\nprotocol: mqtt\npoints: {p: {}}\n")
    with pytest.raises(ConfigurationError) as caught:
        written(tmp_path, "b", "]")
    assert {Path(mistake.file).name for mistake in caught.value.mistakes} == {"a.yaml", "b.yaml"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{root}/motion", "harbour/lift-1/motion"),
        ("analog-input,{instance}", "analog-input,101"),
        ("analog-input,{instance + 1000}", "analog-input,1101"),
        ("{instance-1}", 100),
        ("{instance}", 101),
        (5, 5),
        ({"a": ["{root}", 2.5]}, {"a": ["harbour/lift-1", 2.5]}),
        ("plain", "plain"),
    ],
)
def test_address_parameters_are_filled_in(template: object, expected: object) -> None:
    assert filled(template, {"root": "harbour/lift-1", "instance": 101}) == expected


def test_a_parameter_with_a_number_added_must_be_a_number() -> None:
    text: dict[str, Any] = {"object": "analog-input,{instance + 1000}"}
    profile = DeviceProfile.model_validate(
        {"profile": "p", "class": "pump", "protocol": "modbus", "points": {"flow": text}}
    )
    found = complaints(asset("pump-1", profile="p", instance="first"), profiles={"p": profile})
    assert found == ["pump-1: instance is 'first'; write a whole number"]


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.integers(), st.lists, max_leaves=4)))
def test_any_mapping_fills_once_its_parameters_are_given(mapping: dict[str, object]) -> None:
    address = dict.fromkeys(parameters(mapping), 7)
    assert parameters(filled(mapping, address)) == set()
