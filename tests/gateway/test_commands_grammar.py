"""What a profile may say of a point that is written: mistakes carry line and remedy, and fire is never written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.class_files import load_classes
from facility.clock import VirtualClock
from facility.equipment import System
from facility.errors import ConfigurationError
from facility.model import Asset, Protocol
from facility.yaml_file import parse_yaml
from gateway.commands.grammar import COMMANDERS, WriteEntry, own_keys, protocol_keys, write_findings
from gateway.commands.model import Release
from gateway.commands.writables import writable_points
from gateway.profiles import WRITE, DeviceProfile, driver_configs, load_profiles
from people.model import Role
from tests.gateway.test_profiles import asset, facility

CLASSES = load_classes()
SPEED = "{min: 600, max: 1480, safe: 1465}"
LOCK = "{states: [locked, unlocked], topic: t}"


def findings(text: str, *, kind: str = "pump", point: str = "speed_setpoint", protocol: str = "modbus") -> list[str]:
    """Return what is wrong with a ``write`` entry."""
    profile = f"profile: p\nclass: {kind}\nprotocol: {protocol}\npoints:\n  {point}:\n    write: {text}\n"
    entry = DeviceProfile.model_validate(_parsed(profile)).points[point][WRITE]
    return [message for _, message in write_findings(CLASSES[kind], point, entry, Protocol(protocol))]


def _parsed(text: str) -> object:
    return parse_yaml("p.yaml", text).data


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{min: 600}", "a number needs both limits; write min: … and max: …"),
        ("{min: 1480, max: 600}", "min 1480 must be below max 600"),
        ("{min: 0, max: 99999}", "0 to 99999 leaves the class's range; stay within 0 to 6000"),
        ("{min: 600, max: .inf}", "inf does not fit: input should be a finite number"),
        ("{min: 600, max: 1480, safe: 100}", "100.0 is not between min and max; write a number that is"),
        ("{min: 600, max: 1480, safe: fast}", "'fast' is not between min and max; write a number that is"),
        ("{min: 600, max: 1480, states: [a]}", "'states' means nothing for a number; write its min and max"),
        ("{min: 600, max: 1480, tolerence: 1}", "'tolerence' is not known here; did you mean 'tolerance'?"),
        ("{min: 600, max: 1480, expire_s: 1}", "'expire_s' is not known here; did you mean 'expires_s'?"),
        ("{min: 600, max: 1480, roles: [technician]}", "a technician may not command devices at all"),
        ("{min: 600, max: 1480, roles: [boss]}", "'boss' is not known here"),
        ("{min: 600, max: 1480, roles: []}", "[] does not fit: list should have at least 1 item"),
        ("{min: 600, max: 1480, priority: 7}", "7 does not fit: input should be greater than or equal to 8"),
        ("{min: 600, max: 1480, expires_s: 0}", "0 does not fit: input should be greater than 0"),
        ("yes", "'write' wants entries below it (name: value), such as {min: 0, max: 100}"),
    ],
)
def test_what_is_wrong_with_a_numbers_entry_is_told_with_its_remedy(text: str, told: str) -> None:
    [message] = findings(text)
    assert message.startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{topic: t}", "name the states that may be commanded; write states: [unlocked, locked]"),
        ("{states: [ajar], topic: t}", "'ajar' is no state of the class; write one of: unlocked, locked"),
        ("{states: [locked], safe: unlocked, topic: t}", "'unlocked' is none of the states that may be commanded"),
        ("{states: [locked], min: 0, topic: t}", "'min' means nothing for states; write states: [unlocked, locked]"),
    ],
)
def test_what_is_wrong_with_a_states_entry_is_told_with_its_remedy(text: str, told: str) -> None:
    [message] = findings(text, kind="door", point="lock", protocol="mqtt")
    assert message.startswith(told)


def test_counters_and_events_are_never_commanded() -> None:
    assert "only counts what happened" in findings("{min: 0, max: 1}", point="run_hours")[0]
    assert "only counts what happened" in findings(LOCK, kind="door", point="access_event", protocol="mqtt")[0]


def test_bacnet_relinquishes_and_needs_no_safe_value() -> None:
    [message] = findings(SPEED, protocol="bacnet-ip")
    assert message.startswith("BACnet relinquishes a command")


def test_right_entries_are_taken_and_the_protocols_own_keys_left_alone() -> None:
    assert findings(SPEED) == []
    assert findings("{min: 600, max: 1480, register: 40, function: 16, scale: 0.1}") == []
    assert findings(LOCK, kind="door", point="lock", protocol="mqtt") == []
    entry = {"states": {"LOCK": "locked"}, "topic": "t", "roles": ["operator"]}
    assert protocol_keys(entry) == {"states": {"LOCK": "locked"}, "topic": "t"}
    assert WriteEntry.model_validate(own_keys(entry)).allowed == ["locked"]


@pytest.mark.parametrize(("kind", "point"), [("fire-panel", "panel_state"), ("smoke-detector", "state")])
def test_a_write_entry_of_a_fire_device_is_a_mistake_whatever_it_says(kind: str, point: str) -> None:
    [message] = findings("{}", kind=kind, point=point, protocol="bacnet-ip")
    assert "belongs to the fire system, which is read and never operated; remove 'write'" in message


def test_every_point_that_a_life_safety_rule_watches_refuses_in_every_class() -> None:
    watched = [
        (equipment, rule.point)
        for equipment in CLASSES.values()
        for rule in equipment.rules.values()
        if rule.life_safety
    ]
    assert {equipment.system for equipment, _ in watched} >= {System.LIFT, System.FIRE}
    for equipment, point in watched:
        assert write_findings(equipment, point, {}, Protocol.MQTT)


def test_no_shipped_profile_writes_to_fire_and_every_shipped_entry_is_right() -> None:
    written = [
        (profile, name, mapping[WRITE])
        for profile in load_profiles().values()
        for name, mapping in profile.points.items()
        if WRITE in mapping
    ]
    assert {profile.profile for profile, _, _ in written} >= {"pump-vfd-a", "pump-vfd-b", "door-mqtt", "lift-mqtt"}
    for profile, name, entry in written:
        equipment = CLASSES[profile.equipment_class]
        assert equipment.system is not System.FIRE
        assert write_findings(equipment, name, entry, profile.protocol) == []


def complaints(folder: Path, write: str, *assets: Asset) -> list[str]:
    """Return what a start says of a profile ``mine`` for pumps, whose set-point has this entry, and of the assets."""
    text = (
        "profile: mine\nclass: pump\nprotocol: modbus\nsettings: {unit: '{unit}'}\npoints:\n"
        f"  speed: {{register: 0}}\n  speed_setpoint:\n    register: 1\n    write:\n{write}"
    )
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        configured(folder, assets)
    return [f"{Path(mistake.file).name}:{mistake.line}: {mistake.message}" for mistake in caught.value.mistakes]


def configured(folder: Path, assets: Iterable[Asset]) -> None:
    site = facility(assets)
    driver_configs(site, load_profiles(folder), clock=VirtualClock(), deliver=lambda _: None)


def test_a_mistake_carries_the_line_of_its_key(tmp_path: Path) -> None:
    pump = asset("pump-1", profile="mine", unit=1)
    assert complaints(tmp_path, "      min: 600\n      max: 100\n", pump) == [
        "mine.yaml:11: speed_setpoint: min 600 must be below max 100"
    ]


def test_a_site_that_allows_what_no_profile_can_write_is_told(tmp_path: Path) -> None:
    pump = replace(asset("pump-1", profile="mine", unit=1), commands=("speed",))
    assert complaints(tmp_path, "      min: 600\n      max: 1400\n", pump) == [
        "site.yaml:0: pump-1: profile 'mine' does not say how to write speed; add a 'write' entry there"
    ]


def test_a_pump_that_belongs_to_a_fire_panel_cannot_be_allowed(tmp_path: Path) -> None:
    panel = asset("panel", kind="fire-panel", profile="mine")
    pump = replace(asset("pump-1", profile="mine", unit=1), commands=("speed_setpoint",), parent_id="panel")
    told = complaints(tmp_path, "      min: 600\n      max: 1400\n", panel, pump)
    assert (
        "site.yaml:0: pump-1: pump-1 belongs to panel of the fire system, which is read and never operated; remove "
        "speed_setpoint from 'commands'"
    ) in told


def test_only_what_the_site_allows_may_be_commanded_with_the_limits_of_its_profile() -> None:
    allowed = replace(asset("pump-1", unit=1), commands=("speed_setpoint",))
    lift = replace(asset("lift-1", kind="lift", connection="lifts", profile="lift-mqtt", root="r"), commands=("mode",))
    site = facility([allowed, asset("pump-2", unit=2), lift])
    found = {each.point.address: each for each in writable_points(site, load_profiles()).values()}
    assert set(found) == {"pump-1/speed_setpoint", "lift-1/mode"}
    speed, mode = found["pump-1/speed_setpoint"], found["lift-1/mode"]
    assert (speed.low, speed.high, speed.safe, speed.tolerance) == (600.0, 1480.0, 1465.0, 1.0)
    assert (mode.codes, mode.safe, mode.release) == (frozenset({0, 3}), 0.0, Release.SAFE_VALUE)
    assert Role.TECHNICIAN not in speed.roles


def test_the_roles_that_may_be_named_are_those_that_may_command() -> None:
    assert {Role.OPERATOR, Role.SUPERVISOR, Role.ENGINEER} == COMMANDERS


@given(
    st.dictionaries(
        st.sampled_from([*WriteEntry.model_fields, "topic", "register"]),
        st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.lists(st.text(max_size=8), max_size=3),
    )
)
def test_any_entry_is_right_or_a_list_of_mistakes(entry: dict[str, object]) -> None:
    for point in ("speed_setpoint", "running", "run_hours"):
        for protocol in Protocol:
            assert all(message for _, message in write_findings(CLASSES["pump"], point, entry, protocol))
